package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/sealed"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
)

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "See which keys encrypt what is stored, and encrypt it anew under the current one",
		Long: `Contacts of weddings are encrypted in the database with WEDDING_CONTACT_KEYS: the first key
seals, all of them open. To change it, put a new key in front, start the processes again,
encrypt anew, and take the old key away once "wedsync keys status" counts nothing under it.
docs/security.md says how each key of the platform is changed.

Works on the database that DATABASE_URL names, or that of the running wedsync dev.`,
		Example: `  wedsync keys status
  wedsync keys reencrypt`,
	}
	var a archive
	cmd.PersistentFlags().StringVar(&a.root, "root", devRoot, "folder of the running wedsync dev")
	cmd.AddCommand(keysStatusCommand(&a), keysReencryptCommand(&a))
	return cmd
}

// contactKeys are the configured keys in their order; the first seals.
func contactKeys() ([]sealed.Key, error) {
	cfg, err := config.ForProcess(config.Inspect)
	if err != nil {
		return nil, err
	}
	if !cfg.Wedding.ContactKeys.IsSet() {
		return nil, errors.New("WEDDING_CONTACT_KEYS is not set: contacts are encrypted with it")
	}
	keys, err := sealed.ParseKeys(cfg.Wedding.ContactKeys.Reveal())
	if err != nil {
		return nil, config.Problem{Variable: "WEDDING_CONTACT_KEYS", Allowed: "id:key,id:key with keys of 32 bytes in base64"}
	}
	return keys, nil
}

func keysStatusCommand(a *archive) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Count the contacts under each key",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys, err := contactKeys()
			if err != nil {
				return err
			}
			return a.with(cmd, func(ctx context.Context, st *store.Store) error {
				counts, err := st.ContactKeys(ctx)
				if err != nil {
					return err
				}
				return printKeys(cmd.OutOrStdout(), keys, counts)
			})
		},
	}
}

func printKeys(out io.Writer, keys []sealed.Key, counts map[string]int) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tCONTACTS\tSTATE")
	for i, k := range keys {
		state := "seals"
		switch {
		case i > 0 && counts[k.ID] > 0:
			state = "opens; run \"wedsync keys reencrypt\" before it is taken away"
		case i > 0:
			state = "opens nothing any more: it can be taken away"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\n", k.ID, counts[k.ID], state)
		delete(counts, k.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%s\t%d\tnot among WEDDING_CONTACT_KEYS: nobody can read these\n", id, counts[id])
	}
	return w.Flush()
}

// mostBatch bounds how long a batch keeps its contacts locked.
const mostBatch = 5000

func keysReencryptCommand(a *archive) *cobra.Command {
	var batch int
	cmd := &cobra.Command{
		Use:   "reencrypt",
		Short: "Encrypt the contacts anew that are not under the first key of WEDDING_CONTACT_KEYS",
		Long: `Goes through the contacts in batches, each in a transaction of its own with its entry in the
audit trail. It may be stopped at any time and run again: what is under the first key already
is left as it is. The API may run meanwhile, once it has the new key.

A contact that none of the keys opens is left as it is, named at the end, and makes the
command end with 1.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if batch < 1 || batch > mostBatch {
				return models.Invalid("--batch", batch, fmt.Sprintf("must be from 1 to %d", mostBatch))
			}
			keys, err := contactKeys()
			if err != nil {
				return err
			}
			return a.change(cmd, func(ctx context.Context, st *store.Store) error { return reencrypt(ctx, cmd, st, keys, batch) })
		},
	}
	cmd.Flags().IntVar(&batch, "batch", 500, "contacts in one transaction")
	return cmd
}

func reencrypt(ctx context.Context, cmd *cobra.Command, st *store.Store, keys []sealed.Key, batch int) error {
	counts, err := st.ContactKeys(ctx)
	if err != nil {
		return err
	}
	total := -counts[keys[0].ID]
	for _, n := range counts {
		total += n
	}
	bar, done, after := newBar(cmd.ErrOrStderr()), 0, ""
	var unopened []string
	for {
		step, err := st.ReencryptContacts(ctx, after, batch)
		if err != nil {
			bar.end()
			return fmt.Errorf("after %d contacts: %w", done, err)
		}
		if step.Last == "" {
			break
		}
		done, after, unopened = done+step.Done, step.Last, append(unopened, step.Unopened...)
		bar.show(min(done+len(unopened), total), total, "contacts")
	}
	bar.end()
	fmt.Fprintf(cmd.OutOrStdout(), "%d contacts encrypted anew\n", done)
	if counts, err = st.ContactKeys(ctx); err == nil {
		err = printKeys(cmd.OutOrStdout(), keys, counts)
	}
	if len(unopened) > 0 {
		const most = 10
		named := strings.Join(unopened[:min(most, len(unopened))], ", ")
		err = errors.Join(err, fmt.Errorf("%d contacts are opened by none of the keys, such as those of %s", len(unopened), named))
	}
	return err
}
