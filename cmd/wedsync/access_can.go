package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/accesspolicy"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/access"
)

// errMayNot ends "wedsync access can" with status 1 where the answer is no.
var errMayNot = errors.New("may not")

func accessCanCommand() *cobra.Command {
	var a archive
	var at string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "can SUBJECT PERMISSION [OBJECT]",
		Short: "Say whether somebody may do something, now or at a time, and why",
		Long: `Answers from the records: the roles and the policy of that time, and the weddings as they
stand now. OBJECT is wedding/<id> or service/<name> where the answer depends on it. The
status is 0 for yes and 1 for no.

Reads the database that DATABASE_URL names, or that of the running wedsync dev.`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := models.AccessQuestion{Subject: args[0], Permission: models.Permission(args[1]), At: time.Now().UTC()}
			if len(args) == 3 {
				q.Object = args[2]
			}
			if at != "" {
				t, err := time.Parse(time.RFC3339, at)
				if err != nil {
					return models.Invalid("--at", at, "must be a time such as 2027-06-12T14:00:00Z")
				}
				q.At = t.UTC()
			}
			return a.with(cmd, func(ctx context.Context, st *store.Store) error {
				answer, err := (&accesspolicy.Explainer{Records: st}).Explain(ctx, q)
				if err != nil {
					return err
				}
				if asJSON {
					err = json.NewEncoder(cmd.OutOrStdout()).Encode(answer)
				} else {
					_, err = fmt.Fprintln(cmd.OutOrStdout(), answer.Text)
				}
				if err == nil && !answer.Allowed {
					err = errMayNot
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&a.root, "root", devRoot, "folder of the running wedsync dev")
	cmd.Flags().StringVar(&at, "at", "", "a time such as 2027-06-12T14:00:00Z (default: now)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func accessPolicyCommand() *cobra.Command {
	var a archive
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Print the access policy in force",
		Long: `Prints the rules by which calls are judged. Another policy is proposed by one person and
approved by another: see wedsync access policies.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, st *store.Store) error {
				row, revision, ok, err := st.PolicyInForce(ctx, time.Now())
				if err != nil {
					return err
				}
				text, from := row.Text, fmt.Sprintf("proposed by %s, approved by %s", row.ProposedBy, row.DecidedBy)
				if !ok {
					p, err := access.New()
					if err != nil {
						return err
					}
					text, from = p.Text(), accesspolicy.BuiltIn
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "# %s; revision %d\n%s", from, revision, text)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&a.root, "root", devRoot, "folder of the running wedsync dev")
	return cmd
}
