package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/audit"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/redecide"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
)

func decisionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "decisions",
		Short: "Look at what was decided, and decide it again",
		Long: `Reads the database that DATABASE_URL names, or that of the running wedsync dev. Nothing
is changed.`,
		Example: `  wedsync decisions list --service api
  wedsync decisions show 0197f3c2-5b7e-7c31-9a54-2f0e6d1c8b90
  wedsync decisions replay 0197f3c2-5b7e-7c31-9a54-2f0e6d1c8b90
  wedsync decisions replay --service api --at 2027-06-12T14:00:00Z`,
	}
	var a archive
	cmd.PersistentFlags().StringVar(&a.root, "root", devRoot, "folder of the running wedsync dev")
	cmd.AddCommand(decisionsListCommand(&a), decisionsShowCommand(&a), decisionsReplayCommand(&a))
	return cmd
}

// archive is the database with the records.
type archive struct {
	root          string
	retentionDays int
	url           string
	audited       bool // by the configuration
}

// open connects as the application, in the scope of the platform: who has the address may
// read everything anyway. What was opened so changes nothing.
func (a *archive) open(ctx context.Context) (*store.Store, error) {
	cfg, err := config.ForProcess(config.Inspect)
	if err != nil {
		return nil, err
	}
	a.retentionDays, a.audited = cfg.Monitoring.MetricsRetentionDays, cfg.Security.AuditLogging
	if a.url = cfg.Database.URL.Reveal(); a.url == "" {
		if a.url, err = devDatabase(a.root); err != nil {
			return nil, err
		}
	}
	contacts, err := contactBox(cfg.Wedding)
	if err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, store.Options{
		URL: a.url, MaxConnections: 2, ConnectionTimeout: cfg.Database.ConnectionTimeout, QueryTimeout: cfg.Database.QueryTimeout, Contacts: contacts,
	})
	if err != nil {
		return nil, err
	}
	return st.Audited(unrecorded{}).As(models.Scope{Role: models.ScopeSystem, Subject: operator()}), nil
}

// unrecorded refuses every change of a command that was opened for reading: those that change
// something say so, and are on record.
type unrecorded struct{}

// Append refuses.
func (unrecorded) Append(context.Context, *sql.Tx, models.AuditEntry) error {
	return errors.New("this command may only read")
}

// change is with for a command that changes something: each change is in the audit trail.
func (a *archive) change(cmd *cobra.Command, do func(context.Context, *store.Store) error) error {
	return a.with(cmd, func(ctx context.Context, st *store.Store) error {
		if !a.audited {
			return do(ctx, st.Audited(nil))
		}
		return withTrail(ctx, a.url, func(w *audit.Writer) error { return do(ctx, st.Audited(w.Changes())) })
	})
}

// devDatabase is the address of the database of the running wedsync dev.
func devDatabase(root string) (string, error) {
	dev, err := readDevFile(filepath.Join(root, "dev.json"))
	if err != nil || dev.Postgres == "" {
		return "", fmt.Errorf("DATABASE_URL is not set, and no wedsync dev runs in %s", root)
	}
	return dev.Postgres, nil
}

// with runs do on the open database.
func (a *archive) with(cmd *cobra.Command, do func(context.Context, *store.Store) error) (err error) {
	st, err := a.open(cmd.Context())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return do(cmd.Context(), st)
}

func decisionsListCommand(a *archive) *cobra.Command {
	var service string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List decisions, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f := models.DecisionFilter{Service: models.ServiceName(service), Limit: limit}
			if limit < 1 {
				return models.Invalid("--limit", limit, "must be at least 1")
			}
			if service != "" {
				if _, err := models.ParseServiceName("--service", service); err != nil {
					return err
				}
			}
			return a.with(cmd, func(ctx context.Context, st *store.Store) error {
				found, err := st.Decisions(ctx, f)
				if err != nil {
					return err
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
				fmt.Fprintln(w, "CREATED\tID\tOUTCOME\tSENTENCE")
				for _, d := range found {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.CreatedAt.Format("2006-01-02 15:04:05Z"), d.ID, outcomeOf(d), oneLine(d.Sentence))
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().StringVar(&service, "service", "", "of this service alone")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many at most")
	return cmd
}

func decisionsShowCommand(a *archive) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a decision with its reasons, measurements and cost",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, st *store.Store) error {
				d, err := decisionByID(ctx, st, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					enc := json.NewEncoder(cmd.OutOrStdout())
					enc.SetIndent("", "  ")
					return enc.Encode(d)
				}
				return showDecision(cmd.OutOrStdout(), d)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "everything that is known of it, as JSON")
	return cmd
}

func decisionsReplayCommand(a *archive) *cobra.Command {
	var service, at string
	cmd := &cobra.Command{
		Use:   "replay [ID]",
		Short: "Decide again on the stored inputs, and compare every byte",
		Long: `Takes the inputs that a decision was made from, decides on them again and compares the
result with the record, byte by byte. With --service any evaluation can be taken, also one
that changed nothing: the last one, or the last one until --at.

Prints "identical" and ends with 0, or prints what differs and ends with 1.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pick, err := picking(a, args, service, at)
			if err != nil {
				return err
			}
			return a.with(cmd, func(ctx context.Context, st *store.Store) error {
				e, err := pick(ctx, st)
				if err != nil {
					return err
				}
				return replayEvaluation(cmd.OutOrStdout(), e)
			})
		},
	}
	cmd.Flags().StringVar(&service, "service", "", "an evaluation of this service, in place of a decision's ID")
	cmd.Flags().StringVar(&at, "at", "", "with --service: the last one until then, as 2027-06-12T14:00:00Z")
	return cmd
}

// picking reads which evaluation is meant.
func picking(a *archive, args []string, service, at string) (func(context.Context, *store.Store) (models.Evaluation, error), error) {
	switch {
	case (len(args) == 1) == (service != ""):
		return nil, errors.New("give the ID of a decision, or --service")
	case len(args) == 1 && at != "":
		return nil, errors.New("--at goes with --service")
	case len(args) == 1:
		return func(ctx context.Context, st *store.Store) (models.Evaluation, error) {
			return a.behind(ctx, st, args[0])
		}, nil
	}
	name, err := models.ParseServiceName("--service", service)
	if err != nil {
		return nil, err
	}
	var until time.Time
	if at != "" {
		if until, err = time.Parse(time.RFC3339, at); err != nil {
			return nil, models.Invalid("--at", at, "must be a time as RFC 3339, as in 2027-06-12T14:00:00Z")
		}
	}
	return func(ctx context.Context, st *store.Store) (models.Evaluation, error) {
		e, err := st.EvaluationAt(ctx, name, until)
		if models.KindOf(err) == models.KindNotFound {
			return e, fmt.Errorf("no evaluation of %s is kept until then: they are kept for METRICS_RETENTION_DAYS, %d here", name, a.retentionDays)
		}
		return e, err
	}, nil
}

// behind reads the evaluation that a decision came from, and says why there is none.
func (a *archive) behind(ctx context.Context, st *store.Store, id string) (models.Evaluation, error) {
	e, err := st.EvaluationOf(ctx, id)
	if models.KindOf(err) != models.KindNotFound {
		return e, err
	}
	d, err := decisionByID(ctx, st, id)
	switch {
	case err != nil:
		return e, err
	case d.Explanation == nil:
		return e, fmt.Errorf("decision %s was asked for by %s and decided on by nobody: it is %s", id, d.RequestedBy, outcomeOf(d))
	case time.Since(d.CreatedAt) > time.Duration(a.retentionDays)*24*time.Hour:
		return e, fmt.Errorf("the inputs of decision %s of %s were dropped by retention: they are kept for METRICS_RETENTION_DAYS, %d here",
			id, d.CreatedAt.Format(time.DateOnly), a.retentionDays)
	default:
		return e, fmt.Errorf("the inputs of decision %s were not kept: it is older than their table, or the database was away at that moment", id)
	}
}

func decisionByID(ctx context.Context, st *store.Store, id string) (models.Decision, error) {
	d, err := st.Decision(ctx, id)
	if models.KindOf(err) == models.KindNotFound {
		return d, fmt.Errorf("there is no decision %q", id)
	}
	return d, err
}

// replayEvaluation prints what comes out; an error where it is not what was recorded.
func replayEvaluation(out io.Writer, e models.Evaluation) error {
	fmt.Fprintf(out, "%s at %s: %s\ninputs %s (%d bytes)\n", e.Service, e.At.UTC().Format(time.RFC3339Nano), oneLine(e.Text), e.InputsHash, len(e.Inputs))
	res, err := redecide.Replay(e)
	if err != nil {
		return err
	}
	if res.Identical {
		fmt.Fprintln(out, "identical")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "PLACE\tRECORDED\tNOW")
	for _, d := range res.Differences {
		fmt.Fprintf(w, "%s\t%s\t%s\n", d.Path, orNothing(d.Recorded), orNothing(d.Now))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return fmt.Errorf("the decision comes out otherwise: %d differences", len(res.Differences))
}

// showDecision writes what a person wants to know.
func showDecision(out io.Writer, d models.Decision) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, oneLine(value))
		}
	}
	fmt.Fprintf(w, "%s\n", oneLine(d.Sentence))
	row("made", d.CreatedAt.Format(time.RFC3339))
	row("asked for by", d.RequestedBy)
	row("outcome", outcomeOf(d))
	row("because", d.OutcomeReason)
	if d.CostPerHourBefore != nil && d.CostPerHourAfter != nil {
		row("cost per hour", fmt.Sprintf("%.2f → %.2f", *d.CostPerHourBefore, *d.CostPerHourAfter))
	}
	if e := d.Explanation; e != nil {
		row("bound by", e.BindingReason)
		for _, c := range e.Candidates {
			row("candidate "+c.By, fmt.Sprintf("%d replicas%s %s", c.N, map[bool]string{false: ", not used:"}[c.Used], c.Why))
		}
		for _, s := range e.Shaping {
			row("rule "+s.Rule, s.Effect)
		}
		for _, c := range e.Caps {
			row("ceiling "+c.Cap, fmt.Sprintf("%d%s %s", c.Limit, map[bool]string{true: ", bound"}[c.Bound], c.Calc))
		}
	}
	if ev := d.Evidence; ev != nil {
		for _, s := range ev.Steps {
			row("step "+s.Name, s.At.Format(time.TimeOnly)+" "+s.Text)
		}
		for _, c := range ev.Checks {
			row("check "+c.Name, orNothing(string(c.Result))+": "+c.Reason)
		}
	}
	return w.Flush()
}

func outcomeOf(d models.Decision) string {
	if d.Outcome == models.OutcomeOpen {
		return "open (" + string(d.Status) + ")"
	}
	return string(d.Outcome)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func orNothing(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
