package calendar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// Feeds keeps the feeds and what became of reading them.
type Feeds interface {
	CalendarFeeds(ctx context.Context) ([]models.CalendarFeed, error)
	// SaveFeedReading stores how the last attempt went.
	SaveFeedReading(ctx context.Context, f models.CalendarFeed) error
}

// Source fetches a feed.
type Source interface {
	Fetch(ctx context.Context, f models.CalendarFeed) (Fetched, error)
}

// Poller reads the feeds that are due.
type Poller struct {
	Feeds    Feeds
	Source   Source
	Importer *Importer
	// Observe is told the age of each enabled feed after every round; may be nil.
	Observe func(f models.CalendarFeed, age time.Duration, alarm models.CalendarAlarm)
	Now     func() time.Time
	Log     *slog.Logger
}

// slack lets a feed be read in a round that comes a little early.
const slack = 15 * time.Second

// PollFeeds reads each feed that is due and gives a line for each. One that cannot be read
// keeps its weddings and does not keep the others from being read; what became of it
// stands in its row.
func (p *Poller) PollFeeds(ctx context.Context) ([]string, error) {
	feeds, err := p.Feeds.CalendarFeeds(ctx)
	if err != nil {
		return nil, err
	}
	lines := []string{}
	var errs []error
	for _, f := range feeds {
		if !f.Enabled {
			continue
		}
		if p.due(f) {
			var line string
			f, line = p.poll(ctx, f)
			lines = append(lines, line)
			errs = append(errs, p.Feeds.SaveFeedReading(ctx, f))
		}
		p.judge(ctx, f)
	}
	return lines, errors.Join(errs...)
}

func (p *Poller) due(f models.CalendarFeed) bool {
	return f.LastAttemptAt == nil || p.Now().Sub(*f.LastAttemptAt) >= time.Duration(f.EverySeconds)*time.Second-slack
}

// poll reads one feed and gives its row as it is to be kept.
func (p *Poller) poll(ctx context.Context, f models.CalendarFeed) (models.CalendarFeed, string) {
	now := p.Now().UTC()
	f.LastAttemptAt = &now
	got, err := p.Source.Fetch(ctx, f)
	if err != nil {
		f.LastError = reason(err)
		return f, f.Source + ": not read: " + f.LastError
	}
	if got.Unmodified {
		f.LastReadAt, f.LastError = &now, ""
		return f, f.Source + ": as it was"
	}
	report, err := p.take(ctx, f, got.Data, true)
	if doubted(err) { // what is new is taken all the same, and nothing is cancelled
		doubt := reason(err)
		if report, err = p.take(ctx, f, got.Data, false); err == nil {
			err = &models.Error{Kind: models.KindConflict, Rule: doubt}
		}
	}
	switch {
	case err != nil:
		f.LastError = reason(err)
		return f, f.Source + ": not taken: " + f.LastError
	case report.Faulty > 0:
		first := report.Faults[0]
		f.LastError = fmt.Sprintf("%d of %d weddings cannot be taken, the first on line %d: %s %s", report.Faulty, report.Read, first.Line, first.Field, first.Rule)
	default:
		f.LastReadAt, f.LastError, f.ETag, f.LastModified = &now, "", got.ETag, got.LastModified
	}
	f.Weddings = report.Read - report.Faulty
	return f, fmt.Sprintf("%s: %d created, %d changed, %d cancelled, %d as they were, %d faulty",
		f.Source, report.Created, report.Changed, report.Cancelled, report.Unchanged+report.Stale, report.Faulty)
}

// take stores what a feed says; whole: what it does not say is gone.
func (p *Poller) take(ctx context.Context, f models.CalendarFeed, data []byte, whole bool) (models.ImportReport, error) {
	return p.Importer.read(ctx, models.ImportRequest{
		Source: f.Source, Format: f.Format, Region: f.Region, TimeZone: f.TimeZone, Whole: whole, Data: data,
	}, "feed:"+f.Source, true)
}

// doubted says that storage does not believe how much has vanished.
func doubted(err error) bool {
	var e *models.Error
	return errors.As(err, &e) && e.Kind == models.KindConflict && e.Field == "weddings"
}

// judge warns of an age; who watches the metric or the log is told each round.
func (p *Poller) judge(ctx context.Context, f models.CalendarFeed) {
	now := p.Now()
	age := f.ReadAge(now)
	alarm := models.AlarmOf(age, now)
	if p.Observe != nil {
		p.Observe(f, age, alarm)
	}
	switch alarm {
	case models.CalendarCritical:
		p.Log.ErrorContext(ctx, "the calendar is too old", "source", f.Source, "age", age.Round(time.Minute).String(), "reason", f.LastError)
	case models.CalendarWarning:
		p.Log.WarnContext(ctx, "the calendar grows old", "source", f.Source, "age", age.Round(time.Minute).String(), "reason", f.LastError)
	case models.CalendarFresh:
	}
}

// reason is what may be kept of an error: never an address, never what stood in the feed.
func reason(err error) string {
	var e *models.Error
	switch {
	case errors.As(err, &e) && e.Rule != "":
		return bounded(strings.TrimSpace(e.Field + " " + e.Rule))
	case e != nil && e.Err != nil:
		return bounded(e.Err.Error())
	default:
		return bounded(err.Error())
	}
}
