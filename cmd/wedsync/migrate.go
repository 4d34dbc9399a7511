package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/audit"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
)

func migrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make and update the tables, as the database's owner",
		Long: `Works as DATABASE_OWNER_URL, and grants what the application needs to the role of
DATABASE_URL. Migrations go forward only; running them again changes nothing.`,
	}
	cmd.AddCommand(migrateUpCommand(), migrateStatusCommand())
	return cmd
}

func migrateUpCommand() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Apply what is missing, and add the catalogue of services where there is none",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := load(config.Migrate)
			if err != nil {
				return err
			}
			if role == "" {
				role = roleOf(cfg.Database.URL.Reveal())
			}
			if role == "" {
				return errors.New("which role does the application use? set DATABASE_URL or give --app-role")
			}
			owner := cfg.Database.OwnerURL.Reveal()
			if err := store.Migrate(cmd.Context(), owner, role, log); err != nil {
				return err
			}
			added, err := seedServices(cmd, cfg)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the tables are current; %d services added to the catalogue\n", added)
			return nil
		},
	}
	cmd.Flags().StringVar(&role, "app-role", "", "role of the application (default: the user of DATABASE_URL)")
	return cmd
}

// seedServices fills an empty catalogue through the same door as everybody else.
func seedServices(cmd *cobra.Command, cfg config.Config) (int, error) {
	added := 0
	err := onRecord(cmd, cfg, func(st *store.Store, trail recorder) (err error) {
		if err = trail.Record(cmd.Context(), models.AuditEntry{
			Actor: operator(), Action: "change.schema", Object: "database", Decision: models.AuditAllow, Rule: "migrate up",
			Context: map[string]string{"version": version},
		}); err != nil {
			return err
		}
		added, err = st.SeedServices(cmd.Context(), models.DefaultServices("fleet"))
		return err
	})
	return added, err
}

// onRecord does something as the owner of the tables, with each change in the audit trail.
func onRecord(cmd *cobra.Command, cfg config.Config, do func(*store.Store, recorder) error) (err error) {
	st, err := openOwner(cmd, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }() // nothing is left to lose
	if !cfg.Security.AuditLogging {
		return do(st, &audit.Nothing{})
	}
	w, err := audit.Open(cmd.Context(), audit.Options{URL: cfg.Database.OwnerURL.Reveal(), Process: "cli"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close(context.WithoutCancel(cmd.Context()))) }()
	return do(st.Audited(w.Changes()), w)
}

// openOwner works as the owner of the tables, whom row level security binds too.
func openOwner(cmd *cobra.Command, cfg config.Config) (*store.Store, error) {
	st, err := store.Open(cmd.Context(), store.Options{
		URL: cfg.Database.OwnerURL.Reveal(), MaxConnections: 2,
		ConnectionTimeout: cfg.Database.ConnectionTimeout, QueryTimeout: cfg.Database.QueryTimeout,
	})
	if err != nil {
		return nil, err
	}
	return st.As(models.Scope{Role: models.ScopeSystem, Subject: operator()}), nil
}

func roleOf(databaseURL string) string {
	u, err := url.Parse(databaseURL)
	if err != nil || u.User == nil {
		return ""
	}
	return u.User.Username()
}

func migrateStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "List the migrations and when each was applied",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := load(config.Migrate)
			if err != nil {
				return err
			}
			list, err := store.MigrationStatus(cmd.Context(), cfg.Database.OwnerURL.Reveal())
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			for _, m := range list {
				applied := "pending"
				if !m.AppliedAt.IsZero() {
					applied = m.AppliedAt.UTC().Format("2006-01-02 15:04:05 UTC")
				}
				fmt.Fprintf(w, "%d\t%s\t%s\n", m.Version, m.Name, applied)
			}
			return w.Flush()
		},
	}
}
