package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// printJSON prints a value for programs.
func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func weddingPath(id string) string { return "/weddings/" + url.PathEscape(id) }

// wedding reads one.
func (p *platformCall) wedding(cmd *cobra.Command, id string) (models.Wedding, error) {
	var w models.Wedding
	err := p.ask(cmd, http.MethodGet, weddingPath(id), nil, &w)
	return w, err
}

func weddingsShowCommand() *cobra.Command {
	var p platformCall
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show all that is known of a wedding, as JSON", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := p.wedding(cmd, args[0])
			if err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), w)
		},
	}
	p.flags(cmd)
	return cmd
}

// booking is what flags say of a wedding.
type booking struct {
	reference, zone, starts, ends, kind, tier, region, status, coordinator string
	guests                                                                 int
}

func (b *booking) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&b.zone, "time-zone", "", "IANA name of the venue's zone, as Europe/London")
	f.StringVar(&b.starts, "starts", "", "the ceremony by the venue's clock, as 2027-06-12T14:00, or with an offset")
	f.StringVar(&b.ends, "ends", "", "when the last guest leaves, written like the ceremony")
	f.IntVar(&b.guests, "guests", 0, "how many are invited")
	f.StringVar(&b.kind, "type", "", "church, civil, outdoor, destination or other")
	f.StringVar(&b.tier, "tier", "", "standard, premium or flagship")
	f.StringVar(&b.region, "region", "", "for plans and filters")
	f.StringVar(&b.status, "status", "", "tentative or confirmed")
	f.StringVar(&b.coordinator, "coordinator", "", "a user of this platform, as user:anna")
}

// into writes the flags that were given into a wedding. A time without an offset is that of
// the venue's clock.
func (b *booking) into(cmd *cobra.Command, w *models.Wedding) error {
	given := cmd.Flags().Changed
	for name, to := range map[string]*string{"time-zone": &w.TimeZone, "region": &w.Region, "coordinator": &w.Coordinator} {
		if given(name) {
			*to, _ = cmd.Flags().GetString(name) // the flag is there
		}
	}
	if given("guests") {
		w.Guests = b.guests
	}
	if given("type") {
		w.Type = models.WeddingType(b.kind)
	}
	if given("tier") {
		w.Tier = models.WeddingTier(b.tier)
	}
	if given("status") {
		w.Status = models.WeddingStatus(b.status)
	}
	zone, err := time.LoadLocation(w.TimeZone)
	if err != nil || w.TimeZone == "" {
		return models.Invalid("--time-zone", w.TimeZone, "must be an IANA time zone such as Europe/London")
	}
	before, ceremony := w.StartsAt, given("starts")
	if ceremony {
		if w.StartsAt, err = venueMoment("--starts", b.starts, zone); err != nil {
			return err
		}
	}
	switch {
	case given("ends"):
		w.EndsAt, err = venueMoment("--ends", b.ends, zone)
	case ceremony && !before.IsZero(): // it moves as a whole
		w.EndsAt = w.EndsAt.Add(w.StartsAt.Sub(before))
	case ceremony:
		w.EndsAt = w.StartsAt.Add(models.UsualWedding)
	}
	return err
}

func venueMoment(field, text string, zone *time.Location) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	at, err := time.ParseInLocation("2006-01-02T15:04", text, zone)
	if err != nil {
		return at, models.Invalid(field, text, "must be a time as 2027-06-12T14:00 by the venue's clock, or with an offset as 2027-06-12T14:00:00+01:00")
	}
	return at, nil
}

func weddingsBookCommand() *cobra.Command {
	var p platformCall
	var b booking
	cmd := &cobra.Command{
		Use: "book", Short: "Book a wedding", Args: cobra.NoArgs,
		Example: `  wedsync weddings book --reference B-17 --time-zone Europe/London --starts 2027-06-12T14:00 --guests 180`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := models.Wedding{Status: models.WeddingConfirmed}
			if err := b.into(cmd, &w); err != nil {
				return err
			}
			in := gen.WeddingInput{
				Reference: b.reference, TimeZone: w.TimeZone, StartsAt: w.StartsAt, EndsAt: w.EndsAt, Guests: w.Guests, Status: w.Status,
				Type: orAbsent(w.Type), Tier: orAbsent(w.Tier), Region: orAbsent(w.Region), Coordinator: orAbsent(w.Coordinator),
			}
			return p.change(cmd, question{method: http.MethodPost, path: "/weddings", in: in}, http.StatusCreated)
		},
	}
	p.flags(cmd)
	b.flags(cmd)
	cmd.Flags().StringVar(&b.reference, "reference", "", "your own key of it")
	for _, name := range []string{"reference", "time-zone", "starts", "guests"} {
		_ = cmd.MarkFlagRequired(name) // the flag is there
	}
	return cmd
}

func orAbsent[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

// change sends what becomes of a wedding, and prints a line of it.
func (p *platformCall) change(cmd *cobra.Command, q question, good int) error {
	var w models.Wedding
	q.out = &w
	if err := p.askFor(cmd, q, good); err != nil {
		return err
	}
	if err := printWeddings(cmd.OutOrStdout(), []models.Wedding{w}, false); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s, revision %d\n", w.ID, w.Revision)
	return nil
}

func weddingsChangeCommand() *cobra.Command {
	var p platformCall
	var b booking
	cmd := &cobra.Command{
		Use: "change ID", Short: "Change a wedding: what is not given stays", Args: cobra.ExactArgs(1),
		Long: `Changes what is given and leaves the rest. With another ceremony and no end the whole wedding
moves. Where somebody else changes it at the same time nothing is changed.`,
		Example: `  wedsync weddings change 0192… --guests 240
  wedsync weddings change 0192… --starts 2027-06-12T15:00`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := p.wedding(cmd, args[0])
			if err != nil {
				return err
			}
			was := w
			if err := b.into(cmd, &w); err != nil {
				return err
			}
			if w == was {
				return errors.New("nothing is to be changed: give --guests, --starts or another flag with another value")
			}
			return p.change(cmd, question{method: http.MethodPut, path: weddingPath(args[0]), in: w}, http.StatusOK)
		},
	}
	p.flags(cmd)
	b.flags(cmd)
	return cmd
}

func weddingsCancelCommand() *cobra.Command {
	var p platformCall
	cmd := &cobra.Command{
		Use: "cancel ID", Short: "Cancel a wedding: nobody is planned for any more", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := p.wedding(cmd, args[0])
			if err != nil {
				return err
			}
			return p.change(cmd, question{method: http.MethodPost, path: weddingPath(args[0]) + "/cancel", in: gen.WeddingCancellation{Revision: w.Revision}}, http.StatusOK)
		},
	}
	p.flags(cmd)
	return cmd
}
