package main

import (
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/audit"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/models"
)

// exitCode is an error that ends the process with a code of its own; what is to be said
// was said.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify, export and follow the audit trail",
		Long: `Works as DATABASE_URL, in the scope of the platform itself. What these commands do is in
the trail, too. docs/audit.md says how the trail is made and what verification proves.`,
	}
	cmd.AddCommand(auditVerifyCommand(), auditExportCommand(), auditTailCommand(), auditKeyCommand())
	return cmd
}

// timeFlag is a flag that takes a moment.
type timeFlag struct{ time.Time }

func (t *timeFlag) String() string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}
func (t *timeFlag) Type() string { return "time" }
func (t *timeFlag) Set(s string) (err error) {
	for _, form := range []string{time.RFC3339Nano, time.DateOnly} {
		if t.Time, err = time.Parse(form, s); err == nil {
			return nil
		}
	}
	return errors.New("must be a time such as 2027-06-12T14:00:00Z, or a day such as 2027-06-12")
}

// trailConfig reads what the commands work with.
func trailConfig() (cfg config.Config, url string, err error) {
	cfg, _, err = load(config.Inspect)
	if err != nil {
		return cfg, "", err
	}
	if url = cfg.Database.URL.Reveal(); url == "" {
		return cfg, "", errors.New("DATABASE_URL is not set")
	}
	return cfg, url, nil
}

func auditVerifyCommand() *cobra.Command {
	var from, until timeFlag
	var key, copies string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that no row of the trail was changed and none is missing",
		Long: `Reads the trail from one snapshot of the database: each row must have the hash that it
was given, follow the row before it, and be vouched for by a signed checkpoint.

Exit code 0: sound. 1: something was changed. 2: something is missing. 3: no signed
checkpoint vouches for rows that are old enough to have one. 4: it could not be read.
With --from and --to the rows between the checkpoints around that time are verified.`,
		Example: "  wedsync audit verify\n  wedsync audit verify --from 2027-06-01 --to 2027-07-01 --checkpoints /mnt/vault/audit",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, url, err := trailConfig()
			if err == nil && key == "" {
				key, err = publicKey(cfg.Security)
			}
			if err != nil {
				return err
			}
			o := audit.VerifyOptions{URL: url, Process: "verify", From: from.Time, Until: until.Time, PublicKey: key, Copies: copies}
			var report audit.Report
			err = withTrail(cmd.Context(), url, func(w *audit.Writer) (err error) {
				report, err = verifyOnRecord(cmd.Context(), w, operator(), o)
				return err
			})
			if err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "wedsync:", err)
				return exitCode(4)
			}
			return printVerified(cmd.OutOrStdout(), report, asJSON)
		},
	}
	cmd.Flags().Var(&from, "from", "committed at this time or later (default: the beginning)")
	cmd.Flags().Var(&until, "to", "committed before this time (default: now)")
	cmd.Flags().StringVar(&key, "key", "", "public key of the checkpoints (default: of the configured signing key)")
	cmd.Flags().StringVar(&copies, "checkpoints", "", "folder of the copied checkpoints, to hold the database's against")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printVerified says what was found, the first bad row first.
func printVerified(out io.Writer, r audit.Report, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(out, "%s: %d rows of %d streams, %d checkpoints, in %.1f s", r.Verdict(), r.Rows, r.Streams, r.Checkpoints, r.Took.Seconds())
		fmt.Fprintf(out, "; %d rows are too young to be anchored\n", r.Unanchored)
		const most = 20
		for i, f := range r.Findings {
			if i == most {
				fmt.Fprintf(out, "… and %d more\n", len(r.Findings)-most)
				break
			}
			fmt.Fprintln(out, f)
		}
	}
	if v := r.Verdict(); v != audit.Sound {
		return exitCode(v)
	}
	return nil
}

func publicKey(c config.Security) (string, error) {
	key, err := signingKey(c)
	if err != nil || key == "" {
		return "", err
	}
	return audit.PublicKey(key)
}

// operator is who sits at this machine.
func operator() string {
	if who := os.Getenv("USER"); who != "" {
		return "svc:cli/" + who
	}
	return "svc:cli"
}

// withTrail lends a writer of this process.
func withTrail(ctx context.Context, url string, do func(*audit.Writer) error) (err error) {
	w, err := audit.Open(ctx, audit.Options{URL: url, Process: "cli"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close(context.WithoutCancel(ctx))) }()
	return do(w)
}

// filterFlags are those that select entries.
func filterFlags(cmd *cobra.Command, f *models.AuditFilter) {
	cmd.Flags().StringVar(&f.Actor, "actor", "", "who, e.g. user:anna")
	cmd.Flags().StringVar(&f.Action, "action", "", `what, e.g. scalability:manage, or a beginning such as "change.*"`)
	cmd.Flags().StringVar(&f.Object, "object", "", `on what, e.g. service/api, or a beginning such as "wedding/*"`)
	cmd.Flags().StringVar((*string)(&f.Decision), "decision", "", "allow or deny")
}

func auditExportCommand() *cobra.Command {
	var f models.AuditFilter
	var from, until timeFlag
	var format string
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Write entries as JSON lines or CSV, oldest first",
		Example: "  wedsync audit export --from 2027-06-01 --to 2027-07-01 --format csv > june.csv",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, flush, err := entryWriter(cmd.OutOrStdout(), format)
			if err != nil {
				return err
			}
			_, url, err := trailConfig()
			if err != nil {
				return err
			}
			f.From, f.Until = from.Time, until.Time
			return withTrail(cmd.Context(), url, func(w *audit.Writer) error {
				if err := w.Record(cmd.Context(), readEntry("audit.export", f)); err != nil {
					return err
				}
				r, err := audit.NewReader(cmd.Context(), url, "export")
				if err != nil {
					return err
				}
				defer r.Close()
				return errors.Join(r.Each(cmd.Context(), f, write), flush())
			})
		},
	}
	filterFlags(cmd, &f)
	cmd.Flags().Var(&from, "from", "at this time or later")
	cmd.Flags().Var(&until, "to", "before this time")
	cmd.Flags().StringVar(&format, "format", "jsonl", "jsonl or csv")
	return cmd
}

// readEntry is the record that somebody read the trail itself.
func readEntry(action string, f models.AuditFilter) models.AuditEntry {
	selected := map[string]string{}
	for name, value := range map[string]string{"actor": f.Actor, "action": f.Action, "object": f.Object, "decision": string(f.Decision)} {
		if value != "" {
			selected[name] = value
		}
	}
	for name, at := range map[string]time.Time{"from": f.From, "to": f.Until} {
		if !at.IsZero() {
			selected[name] = at.UTC().Format(time.RFC3339)
		}
	}
	return models.AuditEntry{Actor: operator(), Action: action, Object: "audit", Decision: models.AuditAllow, Rule: "database credentials", Context: selected}
}

func auditTailCommand() *cobra.Command {
	var f models.AuditFilter
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Follow the trail as it is written, until Ctrl-C",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, url, err := trailConfig()
			if err != nil {
				return err
			}
			write := func(e models.AuditEntry) error {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s  %-5s  %s  %s  %s  (%s)\n", e.At.Format("15:04:05.000"), e.Decision, e.Actor, e.Action, e.Object, e.Rule)
				return err
			}
			if asJSON {
				if write, _, err = entryWriter(cmd.OutOrStdout(), "jsonl"); err != nil {
					return err
				}
			}
			return withTrail(cmd.Context(), url, func(w *audit.Writer) error {
				if err := w.Record(cmd.Context(), readEntry("audit.tail", f)); err != nil {
					return err
				}
				r, err := audit.NewReader(cmd.Context(), url, "tail")
				if err != nil {
					return err
				}
				defer r.Close()
				return r.Follow(cmd.Context(), f, time.Second, write)
			})
		},
	}
	filterFlags(cmd, &f)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON lines")
	return cmd
}

// entryWriter writes entries in a form; flush ends it.
func entryWriter(out io.Writer, format string) (write func(models.AuditEntry) error, flush func() error, err error) {
	switch format {
	case "jsonl":
		enc := json.NewEncoder(out)
		return func(e models.AuditEntry) error { return enc.Encode(e) }, func() error { return nil }, nil
	case "csv":
		w := csv.NewWriter(out)
		header := []string{"at", "actor", "action", "object", "decision", "rule", "policyRevision", "roles", "context", "requestId", "traceId", "remoteIp", "id", "stream", "seq", "prev", "hash"}
		if err := w.Write(header); err != nil {
			return nil, nil, err
		}
		return func(e models.AuditEntry) error { return writeCSV(w, e) }, func() error { w.Flush(); return w.Error() }, nil
	default:
		return nil, nil, models.Invalid("format", format, "must be jsonl or csv")
	}
}

func writeCSV(w *csv.Writer, e models.AuditEntry) error {
	roles := make([]string, len(e.Roles))
	for i, r := range e.Roles {
		roles[i] = string(r)
	}
	context, err := json.Marshal(e.Context)
	if err != nil {
		return err
	}
	fields := []string{
		e.At.Format(time.RFC3339Nano), e.Actor, e.Action, e.Object, string(e.Decision), e.Rule, fmt.Sprint(e.PolicyRevision), strings.Join(roles, " "), string(context),
		e.RequestID, e.TraceID, e.RemoteIP, e.ID, e.Stream, fmt.Sprint(e.Seq), hex.EncodeToString(e.Prev), hex.EncodeToString(e.Hash),
	}
	for i, f := range fields {
		if f != "" && strings.ContainsRune("=+-@\t\r", rune(f[0])) {
			fields[i] = "'" + f // a spreadsheet would run it
		}
	}
	return w.Write(fields)
}

func auditKeyCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make the key that signs checkpoints, and print the one that checks them",
		Long: `Writes the private key to a file that only its owner reads, for AUDIT_SIGNING_KEY_FILE, and
prints the public key, for "wedsync audit verify --key" on another machine. Neither belongs
into the database.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			private, public, err := audit.GenerateKey()
			if err != nil {
				return err
			}
			out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the file that the user names
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(out, private)
			if err := errors.Join(err, out.Close()); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), public)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "out", "audit-signing.key", "file of the private key; it must not be there yet")
	return cmd
}
