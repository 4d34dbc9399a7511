package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/audit"
	"github.com/wedsync/scalability/models"
)

// filterFlags are those that select entries.
func filterFlags(cmd *cobra.Command, f *models.AuditFilter) {
	cmd.Flags().StringVar(&f.Actor, "actor", "", "who, e.g. user:anna")
	cmd.Flags().StringVar(&f.Action, "action", "", `what, e.g. scalability:manage, or a beginning such as "change.*"`)
	cmd.Flags().StringVar(&f.Object, "object", "", `on what, e.g. service/api, or a beginning such as "wedding/*"`)
	cmd.Flags().StringVar((*string)(&f.Decision), "decision", "", "allow or deny")
}

// checkFilter names a selection that would find nothing, whatever is there.
func checkFilter(f models.AuditFilter) error {
	if f.Decision != "" && f.Decision != models.AuditAllow && f.Decision != models.AuditDeny {
		return models.Invalid("--decision", f.Decision, "must be allow or deny")
	}
	if !f.From.IsZero() && !f.Until.IsZero() && !f.From.Before(f.Until) {
		return models.Invalid("--from", f.From.Format(time.RFC3339), "must be before --to")
	}
	return nil
}

func auditExportCommand(at *trailPlace) *cobra.Command {
	var f models.AuditFilter
	var from, until timeFlag
	var format string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write entries as JSON lines or CSV, oldest first",
		Long: `Writes to standard output what stands in the trail when it begins, with the place of each
entry in its chain, and tells at the end how many there were.`,
		Example: `  wedsync audit export --from 2027-06-01 --to 2027-07-01 --format csv > june.csv
  wedsync audit export --action "change.*" --actor user:anna`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.From, f.Until = from.Time, until.Time
			out := bufio.NewWriter(cmd.OutOrStdout())
			write, flush, err := entryWriter(out, format)
			if err := errors.Join(err, checkFilter(f)); err != nil {
				return err
			}
			if err := at.find(); err != nil {
				return err
			}
			n := 0
			count := newCounter(cmd.ErrOrStderr(), "entries")
			err = at.readOnRecord(cmd.Context(), readEntry("audit.export", f), func(r *audit.Reader) error {
				err := r.Each(cmd.Context(), f, func(e models.AuditEntry) error {
					n++
					count.show(n)
					return write(e)
				})
				return errors.Join(err, flush(), out.Flush())
			})
			count.end()
			if err == nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d entries\n", n)
			}
			return err
		},
	}
	filterFlags(cmd, &f)
	cmd.Flags().Var(&from, "from", "at this time or later")
	cmd.Flags().Var(&until, "to", "before this time")
	cmd.Flags().StringVar(&format, "format", "jsonl", "jsonl or csv")
	return cmd
}

// readOnRecord lends a reader, once it is on record that somebody reads.
func (p *trailPlace) readOnRecord(ctx context.Context, e models.AuditEntry, do func(*audit.Reader) error) error {
	return withTrail(ctx, p.url, func(w *audit.Writer) error {
		if err := w.Record(ctx, e); err != nil {
			return err
		}
		r, err := audit.NewReader(ctx, p.url, "cli")
		if err != nil {
			return err
		}
		defer r.Close()
		return do(r)
	})
}

// counter shows how far work has come of which nobody knows how much it is.
type counter struct {
	bar  *bar
	what string
}

func newCounter(w io.Writer, what string) *counter { return &counter{newBar(w), what} }

func (c *counter) show(n int) {
	if now := time.Now(); c.bar.live && now.Sub(c.bar.shown) > 200*time.Millisecond {
		c.bar.shown = now
		fmt.Fprintf(c.bar.w, "\r\033[K%d %s", n, c.what)
	}
}

func (c *counter) end() { c.bar.end() }

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

func auditTailCommand(at *trailPlace) *cobra.Command {
	var f models.AuditFilter
	var last int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Follow the trail as it is written, until Ctrl-C",
		Long: `Prints the last entries and then each one as it is committed: time, decision, who, what, on
what, and the rule that decided. It waits when the database is away, and goes on after.`,
		Example: `  wedsync audit tail
  wedsync audit tail --decision deny --last 50
  wedsync audit tail --action "change.*" --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if last < 0 || last > mostLast {
				return models.Invalid("--last", last, fmt.Sprintf("must be from 0 to %d", mostLast))
			}
			if err := errors.Join(checkFilter(f), at.find()); err != nil {
				return err
			}
			write := func(e models.AuditEntry) error {
				line := fmt.Sprintf("%s  %-5s  %s  %s  %s  (%s)", e.At.Format("2006-01-02 15:04:05.000Z"), e.Decision, e.Actor, e.Action, e.Object, e.Rule)
				_, err := fmt.Fprintln(cmd.OutOrStdout(), printable(line))
				return err
			}
			if asJSON {
				write, _, _ = entryWriter(cmd.OutOrStdout(), "jsonl") // a form that is known
			}
			o := audit.FollowOptions{Every: time.Second, Last: last, Do: write, Away: func(err error) {
				fmt.Fprintln(cmd.ErrOrStderr(), "wedsync: the trail cannot be read, trying again:", err)
			}}
			return at.readOnRecord(cmd.Context(), readEntry("audit.tail", f), func(r *audit.Reader) error { return r.Follow(cmd.Context(), f, o) })
		},
	}
	filterFlags(cmd, &f)
	cmd.Flags().IntVar(&last, "last", 10, "how many entries of before are printed first")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON lines")
	return cmd
}

const mostLast = 10_000

// printable keeps what a caller put into the trail from steering the terminal that shows it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
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
