package calendar

import (
	"context"
	"time"

	"github.com/wedsync/scalability/models"
)

// Planner brings about what a plan asks for, in one transaction.
type Planner interface {
	ImportWeddings(ctx context.Context, p models.ImportPlan) (models.ImportReport, error)
}

// Importer reads weddings and has them stored.
type Importer struct {
	Planner Planner
	// Anonymous is set outside production; Pseudonyms are needed there.
	Anonymous  bool
	Pseudonyms *Pseudonyms
	// Changed is told of what was stored; may be nil.
	Changed func(ctx context.Context, changes []models.CalendarChange)
	Now     func() time.Time
}

// maxTold bounds the faults and notes of a report.
const maxTold = 100

// Import stores the weddings of a file. Where a row cannot be taken nothing is stored.
func (i *Importer) Import(ctx context.Context, req models.ImportRequest, actor string) (models.ImportReport, error) {
	return i.read(ctx, req, actor, false)
}

// read is Import; tolerant takes the good rows beside bad ones, and then nothing counts as
// vanished.
func (i *Importer) read(ctx context.Context, req models.ImportRequest, actor string, tolerant bool) (models.ImportReport, error) {
	report := models.ImportReport{Source: req.Source, Format: req.Format, DryRun: req.DryRun, Faults: []models.ImportFault{}, Notes: []models.ImportNote{}}
	if err := i.ready(req); err != nil {
		return report, err
	}
	found, err := Read(req.Data, req.Format, Defaults{Source: req.Source, Region: req.Region, TimeZone: req.TimeZone})
	if err != nil {
		return report, err
	}
	report = told(report, found)
	if len(found.Faults) > 0 && !tolerant {
		return report, nil
	}
	dropped := i.anonymise(found.Rows)
	done, err := i.Planner.ImportWeddings(ctx, models.ImportPlan{
		Source: req.Source, Rows: found.Rows, Whole: req.Whole && len(found.Faults) == 0, DryRun: req.DryRun, Actor: actor, Now: i.Now().UTC(),
	})
	if err != nil {
		return report, err
	}
	report.Created, report.Changed, report.Unchanged = done.Created, done.Changed, done.Unchanged
	report.Cancelled, report.Stale, report.Changes = done.Cancelled, done.Stale, done.Changes
	report.Applied, report.Anonymised, report.ContactsDropped = !req.DryRun, i.Anonymous, dropped
	if report.Applied && i.Changed != nil && len(report.Changes) > 0 {
		i.Changed(ctx, report.Changes)
	}
	return report, nil
}

func (i *Importer) ready(req models.ImportRequest) error {
	if err := models.CheckSource(req.Source); err != nil {
		return err
	}
	if i.Anonymous && i.Pseudonyms == nil {
		return &models.Error{Kind: models.KindConflict, Field: "WEDDING_PSEUDONYM_KEY",
			Rule: "must be set: outside production weddings are imported under pseudonyms, which are made with it"}
	}
	if req.TimeZone == "" {
		return nil
	}
	return models.CheckZone(fieldZone, req.TimeZone, time.LoadLocation)
}

// anonymise works on the rows in place and counts the contacts that were left behind.
func (i *Importer) anonymise(rows []models.ImportRow) int {
	dropped := 0
	if !i.Anonymous {
		return dropped
	}
	for n := range rows {
		if rows[n].Contact != nil {
			dropped++
		}
		rows[n] = i.Pseudonyms.Row(rows[n])
	}
	return dropped
}

func told(r models.ImportReport, found Reading) models.ImportReport {
	r.Read, r.Faulty = len(found.Rows)+len(found.Faults), len(found.Faults)
	r.Faults = append(r.Faults, found.Faults[:min(len(found.Faults), maxTold)]...)
	r.Notes = append(r.Notes, found.Notes[:min(len(found.Notes), maxTold)]...)
	return r
}
