package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/audit"
	"github.com/wedsync/scalability/internal/config"
)

// exitCode is an error that ends the process with a code of its own; what is to be said
// was said.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify, export and follow the audit trail",
		Long: `Works on the database that DATABASE_URL names, or that of the running wedsync dev, in the
scope of the platform itself. What these commands do is in the trail, too. docs/audit.md
says how the trail is made and what verification proves.`,
		Example: `  wedsync audit verify
  wedsync audit tail --decision deny
  wedsync audit export --from 2027-06-01 --to 2027-07-01 --format csv > june.csv`,
	}
	var at trailPlace
	cmd.PersistentFlags().StringVar(&at.root, "root", devRoot, "folder of the running wedsync dev")
	cmd.AddCommand(auditVerifyCommand(&at), auditExportCommand(&at), auditTailCommand(&at), auditKeyCommand())
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

// trailPlace is where the trail is, and what vouches for it: of the environment first, then
// of the running wedsync dev.
type trailPlace struct {
	root   string
	url    string
	keys   []string // that check the checkpoints
	copies string   // folder of the copied checkpoints; "": none is known
}

func (p *trailPlace) find() error {
	cfg, _, err := load(config.Inspect)
	if err != nil {
		return err
	}
	private, err := signingKey(cfg.Security)
	if err != nil {
		return err
	}
	p.copies = folderOf(cfg.Security.AuditCheckpointCopy.Reveal())
	if p.url = cfg.Database.URL.Reveal(); p.url == "" {
		if p.url, err = devDatabase(p.root); err != nil {
			return err
		}
		if raw, err := os.ReadFile(filepath.Join(p.root, "audit", "signing.key")); err == nil && private == "" {
			private = string(raw)
		}
		if p.copies == "" {
			p.copies = folderOf(filepath.Join(p.root, "audit", "checkpoints"))
		}
	}
	p.keys, err = publicKeys(cfg.Security, private)
	return err
}

// folderOf is a path where it is a folder that can be read; "" where it is an address, or not
// there.
func folderOf(path string) string {
	if _, err := os.ReadDir(path); path == "" || err != nil {
		return ""
	}
	return path
}

// codeUnread says that verification did not get so far as to say anything of the trail.
const codeUnread = exitCode(4)

type verifyFlags struct {
	at          *trailPlace
	from, until timeFlag
	keys        []string
	copies      string
	offRecord   bool
	asJSON      bool
}

func auditVerifyCommand(at *trailPlace) *cobra.Command {
	o := verifyFlags{at: at}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that no row of the trail was changed and none is missing",
		Long: `Reads the trail from one snapshot of the database: each row must have the hash that it
was given, follow the row before it, and be vouched for by a signed checkpoint. The worst
finding comes first, with stream, number, id and time of its first bad row.

Exit code 0: sound. 1: something was changed. 2: something is missing. 3: no signed
checkpoint vouches for rows that are old enough to have one. 4: it could not be read, or
what was found could not be put on record. With --from and --to the rows between the
checkpoints around that time are verified.

An auditor gives the keys and the copies of the checkpoints that they keep themselves, and
--off-record on a copy of the database that takes no writes.`,
		Example: `  wedsync audit verify
  wedsync audit verify --from 2027-06-01 --to 2027-07-01 --checkpoints /mnt/vault/audit
  wedsync audit verify --off-record --key wedsync-audit+b80f2d5a+AW… --checkpoints /mnt/vault/audit`,
		Args: func(cmd *cobra.Command, args []string) error { return unread(cmd, cobra.NoArgs(cmd, args)) },
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	cmd.SetFlagErrorFunc(unread)
	f := cmd.Flags()
	f.Var(&o.from, "from", "committed at this time or later (default: the beginning)")
	f.Var(&o.until, "to", "committed before this time (default: now)")
	f.StringArrayVar(&o.keys, "key", nil, "public key of the checkpoints; again for each that signed before, as key@time when it was given up\n(default: of the configured signing key, and AUDIT_FORMER_KEYS)")
	f.StringVar(&o.copies, "checkpoints", "", "folder of the copied checkpoints, to hold the database's against\n(default: AUDIT_CHECKPOINT_COPY, where it is a folder)")
	f.BoolVar(&o.offRecord, "off-record", false, "do not put the verification itself on record: for a database that takes no writes")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

// unread tells an error with the code that is none of the verdicts'.
func unread(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "wedsync:", err)
	return codeUnread
}

func (o *verifyFlags) run(cmd *cobra.Command) error {
	if err := o.at.find(); err != nil {
		return unread(cmd, err)
	}
	v := audit.VerifyOptions{URL: o.at.url, Process: "verify", From: o.from.Time, Until: o.until.Time, PublicKeys: o.at.keys, Copies: o.at.copies}
	if len(o.keys) > 0 {
		v.PublicKeys = o.keys
	}
	if o.copies != "" {
		v.Copies = o.copies
	}
	if !v.From.IsZero() && !v.Until.IsZero() && !v.From.Before(v.Until) {
		return unread(cmd, fmt.Errorf("--from %s must be before --to %s", &o.from, &o.until))
	}
	bar := newBar(cmd.ErrOrStderr())
	var mu sync.Mutex
	v.Progress = func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		bar.show(int(min(done, total)), int(total), "rows verified")
	}
	r, err := o.verify(cmd.Context(), v)
	bar.end()
	var code error
	if r.Streams > 0 || err == nil {
		code = printVerified(cmd.OutOrStdout(), r, o.asJSON)
	}
	if err = unread(cmd, err); code != nil {
		return code // what is wrong with the trail is worse than that it could not be put on record
	}
	return err
}

func (o *verifyFlags) verify(ctx context.Context, v audit.VerifyOptions) (r audit.Report, err error) {
	if o.offRecord {
		return audit.Verify(ctx, v)
	}
	err = withTrail(ctx, v.URL, func(w *audit.Writer) (err error) {
		r, err = verifyOnRecord(ctx, w, operator(), v)
		return err
	})
	return r, err
}

// printVerified says what was found, the first bad row first.
func printVerified(out io.Writer, r audit.Report, asJSON bool) error {
	if asJSON {
		whole := struct {
			Verdict string `json:"verdict"`
			audit.Report
		}{r.Verdict().String(), r}
		if err := json.NewEncoder(out).Encode(whole); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(out, "%s: %d rows of %d streams, %d checkpoints, %d copies of checkpoints, in %.1f s (%.0f rows/s)\n",
			r.Verdict(), r.Rows, r.Streams, r.Checkpoints, r.Copies, r.Took.Seconds(), float64(r.Rows)/max(r.Took.Seconds(), 0.001))
		if r.Unanchored > 0 {
			fmt.Fprintf(out, "%d rows have no checkpoint yet\n", r.Unanchored)
		}
		if r.Unchained > 0 {
			fmt.Fprintf(out, "%d rows are from before there were chains: nothing vouches for them\n", r.Unchained)
		}
		const most = 20
		for i, f := range r.Findings {
			if i == most {
				fmt.Fprintf(out, "… and %d more (--json lists all)\n", len(r.Findings)-most)
				break
			}
			fmt.Fprintln(out, printable(f.String()))
		}
	}
	if v := r.Verdict(); v != audit.Sound {
		return exitCode(v)
	}
	return nil
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
