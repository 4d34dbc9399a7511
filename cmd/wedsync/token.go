package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/internal/config"
)

func tokenCommand() *cobra.Command {
	var subject, kind string
	var lifetime time.Duration
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Sign a bearer token with the shared secret (development only)",
		Long: `Signs a token for a subject with AUTH_TOKEN_SECRET, for AUTH_ISSUER and AUTH_AUDIENCE.
A token says who somebody is; what they may do is bound to the subject in the database.
It refuses to run where WEDSYNC_ENV is production: there an identity provider signs.`,
		Example: "  wedsync token --subject admin --lifetime 8h",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.ForProcess(config.Token)
			if err != nil {
				return err
			}
			if cfg.Environment == config.Production {
				return errors.New("WEDSYNC_ENV is production: tokens come from the identity provider there")
			}
			now := time.Now()
			token, err := authn.Issue([]byte(cfg.Auth.TokenSecret.Reveal()), authn.Claims{
				Subject: subject, Kind: kind, Issuer: cfg.Auth.Issuer, Audience: cfg.Auth.Audience,
				IssuedAt: now, ExpiresAt: now.Add(lifetime),
			})
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), token)
			return nil
		},
	}
	cmd.Flags().StringVar(&subject, "subject", "", "who the token speaks for, without user: or svc: (required)")
	cmd.Flags().StringVar(&kind, "kind", authn.KindUser, "user or service")
	cmd.Flags().DurationVar(&lifetime, "lifetime", 8*time.Hour, "how long the token is good")
	_ = cmd.MarkFlagRequired("subject")
	return cmd
}
