package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

func accessPoliciesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policies",
		Short: "Propose other access rules, see what they would change, and approve or reject them",
		Long: `Speaks to the API, with a token that may use scalability:policy. Whoever proposes a policy
is whom the token speaks for, and somebody else approves it: one's own is refused. Service
accounts do neither.`,
		Example: `  wedsync access policy > rules.csv
  wedsync access policies propose rules.csv --reason "operators may book weddings"
  wedsync access policies list
  wedsync access policies show 0197f3c2-5b7e-7c31-9a54-2f0e6d1c8b90
  wedsync access policies approve 0197f3c2-5b7e-7c31-9a54-2f0e6d1c8b90 --reason "as agreed" --token-file berta`,
	}
	cmd.AddCommand(accessPoliciesListCommand(), accessPoliciesShowCommand(), accessPoliciesProposeCommand(),
		accessPoliciesDecideCommand("approve", "Put a policy in force that somebody else proposed"),
		accessPoliciesDecideCommand("reject", "End a policy that somebody else proposed"))
	return cmd
}

const policiesPath = "/access/policies"

// reviewedPolicy is a policy with the calls of the last day that it would answer otherwise.
type reviewedPolicy struct {
	models.AccessPolicy
	Replayed      []models.ChangedCalls `json:"replayed"`
	ReplayedCalls int64                 `json:"replayedCalls"`
}

func accessPoliciesListCommand() *cobra.Command {
	var p platformCall
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List proposed, approved and rejected policies, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var found struct {
				Items []models.AccessPolicy `json:"items"`
			}
			if err := p.ask(cmd, http.MethodGet, policiesPath, nil, &found); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), found.Items)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "PROPOSED\tID\tSTATUS\tBY\tDECIDED BY\tREASON")
			for _, a := range found.Items {
				by := a.DecidedBy
				if by == "" {
					by = "nobody yet"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", a.ProposedAt.UTC().Format("2006-01-02 15:04:05Z"), a.ID, a.Status, oneLine(a.ProposedBy), oneLine(by), oneLine(a.Reason))
			}
			return w.Flush()
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array, with the rules")
	return cmd
}

func accessPoliciesShowCommand() *cobra.Command {
	var p platformCall
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a policy, and which calls of the last 24 hours it would answer otherwise",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.policy(cmd, question{method: http.MethodGet, path: policiesPath + "/" + url.PathEscape(args[0])}, asJSON)
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the policy as JSON")
	return cmd
}

func accessPoliciesProposeCommand() *cobra.Command {
	var p platformCall
	var reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "propose FILE|-",
		Short: "Propose the whole table of rules that a file holds, and show what it would change",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readPolicy(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			return p.policy(cmd, question{method: http.MethodPost, path: policiesPath, in: gen.AccessPolicyInput{Text: text, Reason: reason}}, asJSON)
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever approves it (required)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the policy as JSON")
	_ = cmd.MarkFlagRequired("reason") // the flag is there
	return cmd
}

// readPolicy reads a table of rules, one byte more than is allowed at most.
func readPolicy(in io.Reader, name string) (string, error) {
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the file that the caller names, read as the caller
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }() // it was read
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, models.MaxPolicyBytes+1))
	switch {
	case err != nil:
		return "", err
	case len(raw) > models.MaxPolicyBytes:
		return "", models.Invalid("FILE", name, fmt.Sprintf("must be at most %d bytes", models.MaxPolicyBytes))
	}
	return string(raw), nil
}

func accessPoliciesDecideCommand(verb, short string) *cobra.Command {
	var p platformCall
	var reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   verb + " ID",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var decided models.AccessPolicy
			path := policiesPath + "/" + url.PathEscape(args[0]) + "/" + verb
			if err := p.ask(cmd, http.MethodPost, path, gen.ApprovalRequest{Reason: reason}, &decided); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), decided)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is %s, decided by %s\n", decided.ID, decided.Status, oneLine(decided.DecidedBy))
			return err
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why (required)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the policy as JSON")
	_ = cmd.MarkFlagRequired("reason") // the flag is there
	return cmd
}

// policy asks for a policy with what it would change, and prints it.
func (p *platformCall) policy(cmd *cobra.Command, q question, asJSON bool) error {
	var found reviewedPolicy
	q.out = &found
	if err := p.askFor(cmd, q, http.StatusOK, http.StatusCreated); err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), found)
	}
	return printPolicy(cmd.OutOrStdout(), found)
}

func printPolicy(out io.Writer, p reviewedPolicy) error {
	fmt.Fprintf(out, "%s: %s, proposed by %s at %s: %s\n", p.ID, p.Status, oneLine(p.ProposedBy), p.ProposedAt.UTC().Format("2006-01-02 15:04:05Z"), oneLine(p.Reason))
	if p.DecidedBy != "" {
		fmt.Fprintf(out, "decided by %s: %s\n", oneLine(p.DecidedBy), oneLine(p.DecisionReason))
	}
	fmt.Fprintf(out, "\n%s\n\n", strings.TrimRight(p.Text, "\n"))
	if len(p.Replayed) == 0 {
		_, err := fmt.Fprintf(out, "It would have answered all %d calls of the last 24 hours as they were answered.\n", p.ReplayedCalls)
		return err
	}
	fmt.Fprintf(out, "Of the %d calls of the last 24 hours it would have answered otherwise:\n", p.ReplayedCalls)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "CALLS\tPEOPLE\tROLES\tPERMISSION\tCONTEXT\tWAS\tWOULD BE\tRULE")
	for _, c := range p.Replayed {
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Count, c.Subjects, rolesText(c.Roles), c.Permission, contextText(c.AuditedCalls), c.Decision, c.Would, c.Rule)
	}
	return w.Flush()
}

func rolesText(held []models.Role) string {
	if len(held) == 0 {
		return "none"
	}
	names := make([]string, len(held))
	for i, r := range held {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

func contextText(c models.AuditedCalls) string {
	var held []string
	if c.WeddingDay {
		held = append(held, "wedding_day")
	}
	if c.ChangeFreeze {
		held = append(held, "change_freeze")
	}
	if len(held) == 0 {
		return "any"
	}
	return strings.Join(held, ", ")
}
