package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/calendar"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/simulate/season"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
)

func weddingsGenerateCommand() *cobra.Command {
	var count int
	var from, until, format, out string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Make up a season of weddings, the same for the same seed",
		Long: `Draws weddings by the shares of months, weekdays, hours, zones and sizes of real seasons,
some of them past midnight and over the nights in which clocks change, and writes a file
that "wedsync weddings import" takes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			f, err := models.ParseCalendarFormat("--format", format)
			if err != nil {
				return err
			}
			made, err := madeUp(count, from, until, seed)
			if err != nil {
				return err
			}
			to := cmd.OutOrStdout()
			if out != "" {
				file, err := os.Create(out) //nolint:gosec // where the operator wants it
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, file.Close()) }()
				to = file
			}
			return calendar.Write(to, f, made)
		},
	}
	year := time.Now().Year() + 1
	f := cmd.Flags()
	f.IntVar(&count, "count", 3000, "how many")
	f.StringVar(&from, "from", fmt.Sprintf("%d-03-20", year), "first date")
	f.StringVar(&until, "until", fmt.Sprintf("%d-10-31", year), "last date")
	f.Uint64Var(&seed, "seed", 1, "seed of the draw")
	f.StringVar(&format, "format", "csv", "csv, jsonl or ics")
	f.StringVar(&out, "out", "", "file to write (default: standard output)")
	return cmd
}

// madeUp draws bookings and gives them what a calendar has beyond times and guests.
func madeUp(count int, from, until string, seed uint64) ([]models.Wedding, error) {
	first, err := time.Parse(time.DateOnly, from)
	if err != nil {
		return nil, models.Invalid("--from", from, "must be a date as in 2027-03-20")
	}
	last, err := time.Parse(time.DateOnly, until)
	if err != nil {
		return nil, models.Invalid("--until", until, "must be a date as in 2027-10-31")
	}
	drawn, err := season.Bookings(season.BookingOptions{Count: count, From: first, Until: last, Seed: seed})
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(seed, 0x7199e)) //nolint:gosec // a season has to be repeatable
	made := make([]models.Wedding, len(drawn))
	for i, w := range drawn {
		m := models.Wedding{
			Source: "generated", Reference: fmt.Sprintf("season-%d-%05d", seed, i+1), TimeZone: w.Zone, StartsAt: w.Start, EndsAt: w.End,
			Guests: w.Guests, Status: models.WeddingConfirmed, Region: strings.ReplaceAll(strings.ToLower(path.Base(w.Zone)), "_", "-"),
			Type: kindDrawn(rng), Tier: tierOf(w.Guests),
		}
		if !w.Confirmed {
			m.Status = models.WeddingTentative
		}
		if made[i], err = m.Normalise(time.LoadLocation); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// kindDrawn has the shares of the yearly surveys, rounded.
func kindDrawn(rng *rand.Rand) models.WeddingType {
	switch x := rng.Float64(); {
	case x < 0.22:
		return models.WeddingChurch
	case x < 0.55:
		return models.WeddingCivil
	case x < 0.78:
		return models.WeddingOutdoor
	case x < 0.90:
		return models.WeddingDestination
	default:
		return models.WeddingOther
	}
}

func tierOf(guests int) models.WeddingTier {
	switch {
	case guests >= 250:
		return models.TierOfFlagship
	case guests >= 160:
		return models.TierOfPremium
	default:
		return models.TierOfStandard
	}
}

func weddingsAnonymiseCommand() *cobra.Command {
	var root string
	cmd := &cobra.Command{
		Use:   "anonymise",
		Short: "Replace what names weddings in a database that was copied from production",
		Long: `Gives every wedding a pseudonym made with WEDDING_PSEUDONYM_KEY in place of its reference, and
forgets all contacts, in one transaction. It refuses to run in production. A second run
changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.ForProcess(config.Inspect)
			if err != nil {
				return err
			}
			if given(cfg, "DATABASE_URL") && cfg.Environment == config.Production {
				return errors.New("WEDSYNC_ENV is production: weddings are anonymised in copies alone; set it to staging or development for one")
			}
			names := pseudonyms(cfg.Wedding)
			if names == nil {
				return errors.New("WEDDING_PSEUDONYM_KEY is not set: pseudonyms are made with it")
			}
			a := archive{root: root}
			return a.change(cmd, func(ctx context.Context, st *store.Store) error {
				renamed, forgotten, err := st.RenameWeddings(ctx, names.Wedding)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d weddings renamed, %d contacts forgotten\n", renamed, forgotten)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&root, "root", devRoot, "folder of the running wedsync dev")
	return cmd
}
