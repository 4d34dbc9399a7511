package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// amendment is what flags say of a change of a plan.
type amendment struct {
	reason, service, week string
	floor, peak           int
	replicas, cost        float64
}

func seasonAmendCommand() *cobra.Command {
	var p platformCall
	var o amendment
	cmd := &cobra.Command{
		Use:   "amend ID",
		Short: "Change a service's floor or peak in a plan, or how far the plan may move without asking",
		Long: `The plan is made anew with what is given. Within the bounds of the approved plan it is in
effect at once; beyond them somebody else has to agree. Bounds may be changed until the
first plan is approved; one that is not given goes back to its default.`,
		Example: `  wedsync season amend northern-summer-2027 --service api --week 2027-06-12 --peak 60 --reason "two fairs"
  wedsync season amend northern-summer-2027 --replica-share 0.3 --cost-share 0.2 --reason "a young service"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := o.read(cmd)
			if err != nil {
				return err
			}
			var answer models.SeasonAnswer
			if err := p.ask(cmd, http.MethodPost, seasonPath(args[0])+"/amend", in, &answer); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), oneLine(answer.Text))
			return nil
		},
	}
	p.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.reason, "reason", "", "why, for the record")
	f.StringVar(&o.service, "service", "", "whose figures are changed")
	f.StringVar(&o.week, "week", "", "a day of the week that is meant, as 2027-06-12, or a time (default: each week)")
	f.IntVar(&o.floor, "floor", 0, "replicas that are held all week")
	f.IntVar(&o.peak, "peak", 0, "replicas at its busiest")
	o.bounds(cmd)
	_ = cmd.MarkFlagRequired("reason") // the flag is there
	return cmd
}

// bounds are the flags of how far a plan may move.
func (o *amendment) bounds(cmd *cobra.Command) {
	d := models.DefaultSeasonBounds()
	cmd.Flags().Float64Var(&o.replicas, "replica-share", d.ReplicaShare, "more replicas in any week without asking again, as a share")
	cmd.Flags().Float64Var(&o.cost, "cost-share", d.CostShare, "more cost of the season without asking again, as a share")
}

// givenBounds are nil where no flag of theirs was given.
func (o *amendment) givenBounds(cmd *cobra.Command) *models.SeasonBounds {
	if !cmd.Flags().Changed("replica-share") && !cmd.Flags().Changed("cost-share") {
		return nil
	}
	return &models.SeasonBounds{ReplicaShare: o.replicas, CostShare: o.cost}
}

func (o *amendment) read(cmd *cobra.Command) (gen.PlanAmend, error) {
	in := gen.PlanAmend{Reason: o.reason, Bounds: o.givenBounds(cmd)}
	if o.service == "" {
		for _, name := range []string{"week", "floor", "peak"} {
			if cmd.Flags().Changed(name) {
				return in, models.Invalid("--service", "", "is required with --"+name)
			}
		}
		if in.Bounds == nil {
			return in, models.Invalid("--service", "", "with --floor or --peak, or --replica-share or --cost-share, is required")
		}
		return in, nil
	}
	service, err := models.ParseServiceName("--service", o.service)
	if err != nil {
		return in, err
	}
	edit := gen.PlanEdit{Service: service}
	if o.week != "" {
		at, err := momentOf("--week", o.week, 12*time.Hour) // noon is in the same week in every zone
		if err != nil {
			return in, err
		}
		edit.Week = &at
	}
	if cmd.Flags().Changed("floor") {
		edit.Floor = &o.floor
	}
	if cmd.Flags().Changed("peak") {
		edit.Peak = &o.peak
	}
	in.Edits = &[]gen.PlanEdit{edit}
	return in, nil
}

// momentOf reads a time, or a date at so long after its midnight (UTC).
func momentOf(field, text string, after time.Duration) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.Add(after), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, models.Invalid(field, text, "must be a date as 2027-06-12, or a time as 2027-06-12T14:00:00+01:00")
	}
	return at, nil
}
