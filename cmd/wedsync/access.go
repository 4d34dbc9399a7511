package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
)

func accessCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "access",
		Short: "Give roles to people and service accounts, take them away, and say who may do what",
		Long: `grant, revoke and list work as DATABASE_OWNER_URL: whoever can migrate the database can
name its first administrator. Subjects are user:<sub> for people and svc:<sub> for service accounts,
where <sub> is the subject of their tokens.`,
		Example: `  wedsync access grant user:anna scalability_admin
  wedsync access list
  wedsync access can user:anna scalability:scale_standard service/api
  wedsync access can user:carla scalability:wedding_priority wedding/0197f3c2-5b7e-7c31-9a54-2f0e6d1c8b90 --at 2027-06-12T14:00:00Z
  wedsync access policy
  wedsync access policies propose rules.csv --reason "operators may book weddings"`,
	}
	cmd.AddCommand(accessGrantCommand(), accessRevokeCommand(), accessListCommand(), accessCanCommand(), accessPolicyCommand(), accessPoliciesCommand())
	return cmd
}

func roles() []models.Role {
	return []models.Role{models.RoleAdmin, models.RoleOperator, models.RoleViewer, models.RoleCoordinator, models.RoleMetricsWriter}
}

// parseBinding reads SUBJECT ROLE.
func parseBinding(args []string) (string, models.Role, error) {
	subject, role := args[0], models.Role(args[1])
	if !strings.HasPrefix(subject, "user:") && !strings.HasPrefix(subject, "svc:") || strings.HasSuffix(subject, ":") {
		return "", "", models.Invalid("SUBJECT", subject, "must be user:<sub> or svc:<sub>")
	}
	if !slices.Contains(roles(), role) {
		return "", "", models.Invalid("ROLE", role, fmt.Sprintf("must be one of %v", roles()))
	}
	return subject, role, nil
}

func accessGrantCommand() *cobra.Command {
	var lifetime time.Duration
	cmd := &cobra.Command{
		Use:   "grant SUBJECT ROLE",
		Short: "Give a role",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			subject, role, err := parseBinding(args)
			if err != nil {
				return err
			}
			now := time.Now().UTC()
			b := models.Binding{Subject: subject, Role: role, ValidFrom: now, CreatedBy: "owner", CreatedAt: now}
			if lifetime > 0 {
				until := now.Add(lifetime)
				b.ValidTo = &until
			}
			return asOwner(cmd, func(st *store.Store) error { return st.GrantRole(cmd.Context(), b) })
		},
	}
	cmd.Flags().DurationVar(&lifetime, "for", 0, "how long the role is good (default: until it is revoked)")
	return cmd
}

func accessRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke SUBJECT ROLE",
		Short: "Take a role away",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			subject, role, err := parseBinding(args)
			if err != nil {
				return err
			}
			return asOwner(cmd, func(st *store.Store) error {
				return st.RevokeRole(cmd.Context(), subject, role, time.Now().UTC())
			})
		},
	}
}

func accessListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List who holds which role",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return asOwner(cmd, func(st *store.Store) error {
				bindings, err := st.Bindings(cmd.Context())
				if err != nil {
					return err
				}
				return printBindings(cmd.OutOrStdout(), bindings)
			})
		},
	}
}

func printBindings(out io.Writer, bindings []models.Binding) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, b := range bindings {
		until := "until revoked"
		if b.ValidTo != nil {
			until = "until " + b.ValidTo.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", b.Subject, b.Role, until)
	}
	return w.Flush()
}

// asOwner does something as the owner of the tables.
func asOwner(cmd *cobra.Command, do func(*store.Store) error) error {
	cfg, _, err := load(config.Migrate)
	if err != nil {
		return err
	}
	return onRecord(cmd, cfg, func(st *store.Store, _ recorder) error { return do(st) })
}
