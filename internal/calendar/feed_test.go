package calendar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

var saturday = time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC)

// book is storage as the importer and the poller see it.
type book struct {
	feeds  []models.CalendarFeed
	saved  []models.CalendarFeed
	plans  []models.ImportPlan
	report models.ImportReport
	err    error
}

func (b *book) ImportWeddings(_ context.Context, p models.ImportPlan) (models.ImportReport, error) {
	b.plans = append(b.plans, p)
	if p.Whole {
		return b.report, b.err
	}
	return b.report, nil
}

func (b *book) CalendarFeeds(context.Context) ([]models.CalendarFeed, error) { return b.feeds, nil }

func (b *book) SaveFeedReading(_ context.Context, f models.CalendarFeed) error {
	b.saved = append(b.saved, f)
	for i := range b.feeds {
		if b.feeds[i].ID == f.ID {
			b.feeds[i] = f
		}
	}
	return nil
}

const goodCSV = "reference,timeZone,startsAt,endsAt,guests,contactName\nB-1,Europe/London,2027-06-12T14:00,23:00,100,Anna Example\n"

func TestAFileIsTakenWholeOrNotAtAll(t *testing.T) {
	b := &book{report: models.ImportReport{Created: 1, Changes: []models.CalendarChange{{Kind: models.WeddingWasCreated}}}}
	told := 0
	i := &Importer{Planner: b, Now: func() time.Time { return saturday }, Changed: func(_ context.Context, c []models.CalendarChange) { told += len(c) }}
	req := models.ImportRequest{Source: "crm", Format: models.FormatCSV, Whole: true, Data: []byte(goodCSV)}
	got, err := i.Import(t.Context(), req, "user:anna")
	require.NoError(t, err)
	assert.True(t, got.Applied)
	assert.Equal(t, 1, got.Created)
	assert.Equal(t, 1, told)
	require.Len(t, b.plans, 1)
	assert.True(t, b.plans[0].Whole)
	assert.Equal(t, "Anna Example", b.plans[0].Rows[0].Contact.Name, "production keeps contacts")

	req.DryRun = true
	got, err = i.Import(t.Context(), req, "user:anna")
	require.NoError(t, err)
	assert.False(t, got.Applied)
	assert.Equal(t, 1, told, "nothing was changed, nobody is told")

	req.DryRun, req.Data = false, []byte(goodCSV+"B-2,Europe/London,2027-06-12T14:00,23:00,many,\n")
	got, err = i.Import(t.Context(), req, "user:anna")
	require.NoError(t, err)
	assert.False(t, got.Applied)
	assert.Equal(t, 1, got.Faulty)
	assert.Len(t, b.plans, 2, "storage is not asked")
}

func TestOutsideProductionNobodyIsNamed(t *testing.T) {
	b := &book{}
	i := &Importer{Planner: b, Anonymous: true, Now: func() time.Time { return saturday }}
	req := models.ImportRequest{Source: "crm", Format: models.FormatCSV, Data: []byte(goodCSV)}
	_, err := i.Import(t.Context(), req, "user:anna")
	assert.Equal(t, models.KindConflict, models.KindOf(err))
	require.ErrorContains(t, err, "WEDDING_PSEUDONYM_KEY")

	i.Pseudonyms = NewPseudonyms([]byte("a secret of the installation"))
	got, err := i.Import(t.Context(), req, "user:anna")
	require.NoError(t, err)
	assert.True(t, got.Anonymised)
	assert.Equal(t, 1, got.ContactsDropped)
	row := b.plans[0].Rows[0]
	assert.Nil(t, row.Contact)
	assert.Regexp(t, "^anon-[0-9a-f]{24}$", row.Wedding.Reference)
	assert.Equal(t, 100, row.Wedding.Guests)
	assert.Equal(t, "2027-06-12", row.Wedding.WeddingDate)

	_, err = i.Import(t.Context(), req, "user:anna")
	require.NoError(t, err)
	assert.Equal(t, row.Wedding.Reference, b.plans[1].Rows[0].Wedding.Reference, "a second import finds the first")
	assert.Equal(t, row.Wedding, i.Pseudonyms.Wedding(row.Wedding), "a pseudonym is not renamed")
	assert.NotEqual(t, i.Pseudonyms.Of("crm", "B-1"), i.Pseudonyms.Of("other", "B-1"))
	assert.NotEqual(t, i.Pseudonyms.Of("crm", "B-1"), NewPseudonyms([]byte("another secret here")).Of("crm", "B-1"))
}

func TestPlacesThatAreNotOpenToFeedsAreRefusedAtTheConnection(t *testing.T) {
	reached := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	closed := NewFetcher(FetchOptions{Timeout: 5 * time.Second})
	for _, address := range []string{server.URL + "/?token=s3cret", "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port} {
		_, err := closed.Fetch(t.Context(), models.CalendarFeed{URL: address})
		require.ErrorIs(t, err, errPlace)
		assert.NotContains(t, err.Error(), "s3cret")
	}
	assert.False(t, reached)

	for address, want := range map[string][3]bool{ // default, loopback, private
		"93.184.216.34:443": {true, true, true}, "127.0.0.1:80": {false, true, true}, "[::1]:80": {false, true, true},
		"10.1.2.3:80": {false, false, true}, "192.168.1.1:80": {false, false, true}, "[fd00::1]:80": {false, false, true},
		"169.254.169.254:80": {}, "100.64.0.1:80": {}, "0.0.0.0:80": {}, "[fe80::1]:80": {}, "224.0.0.1:80": {}, "255.255.255.255:80": {},
		"[64:ff9b::a00:1]:80": {}, "[2002:a00:1::]:80": {}, "198.18.0.1:80": {}, "[::ffff:10.0.0.1]:80": {false, false, true}, "nonsense": {},
		"[2606:2800:220:1::1]:443": {true, true, true},
	} {
		got := [3]bool{}
		for i, o := range []FetchOptions{{}, {AllowLoopback: true}, {AllowPrivate: true}} {
			got[i] = o.judge(address) == nil
		}
		assert.Equal(t, want, got, address)
	}
}

func TestAFeedIsReadConditionallyAndBounded(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"v1"`)
		_, _ = w.Write([]byte(goodCSV))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/feed", answer)
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/feed", http.StatusFound) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
	})
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	mux.HandleFunc("/down", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		for range MaxBytes/1024 + 2 {
			_, _ = w.Write(make([]byte, 1024))
		}
	})
	mux.HandleFunc("/short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("short"))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	f := NewFetcher(FetchOptions{AllowLoopback: true, Timeout: 10 * time.Second})
	for _, path := range []string{"/feed", "/moved"} {
		got, err := f.Fetch(t.Context(), models.CalendarFeed{URL: server.URL + path})
		require.NoError(t, err)
		assert.Equal(t, Fetched{Data: []byte(goodCSV), ETag: `"v1"`}, got)
	}
	got, err := f.Fetch(t.Context(), models.CalendarFeed{URL: server.URL + "/feed", ETag: `"v1"`})
	require.NoError(t, err)
	assert.True(t, got.Unmodified)
	for path, kind := range map[string]models.Kind{
		"/away": models.KindUnavailable, "/round": models.KindUnavailable, "/down": models.KindUnavailable, "/short": models.KindUnavailable, "/large": models.KindTooLarge,
	} {
		_, err := f.Fetch(t.Context(), models.CalendarFeed{URL: server.URL + path})
		assert.Equal(t, kind, models.KindOf(err), path)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), server.URL, path)
	}
	_, err = f.Fetch(t.Context(), models.CalendarFeed{URL: "ftp://x.example/"})
	assert.Equal(t, models.KindInvalid, models.KindOf(err))
}

// web answers in place of feeds.
type web map[string]func() (Fetched, error)

func (w web) Fetch(_ context.Context, f models.CalendarFeed) (Fetched, error) { return w[f.Source]() }

func TestAFeedThatIsDownForADayKeepsItsWeddingsAndAlarms(t *testing.T) {
	now := saturday
	b := &book{feeds: []models.CalendarFeed{
		{ID: "f1", Source: "a", Format: models.FormatCSV, EverySeconds: 900, Enabled: true, CreatedAt: now},
		{ID: "f2", Source: "off", EverySeconds: 60, CreatedAt: now},
	}}
	down := false
	source := web{"a": func() (Fetched, error) {
		if down {
			return Fetched{}, models.Unavailable("calendar.Fetch", errors.New("the feed answered 503"))
		}
		return Fetched{Data: []byte(goodCSV), ETag: `"v1"`}, nil
	}}
	var log bytes.Buffer
	alarms := map[models.CalendarAlarm]int{}
	p := &Poller{
		Feeds: b, Source: source, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Importer: &Importer{Planner: b, Now: func() time.Time { return now }},
		Observe:  func(_ models.CalendarFeed, _ time.Duration, a models.CalendarAlarm) { alarms[a]++ },
	}
	poll := func() []string {
		lines, err := p.PollFeeds(t.Context())
		require.NoError(t, err)
		return lines
	}
	assert.Len(t, poll(), 1)
	require.Len(t, b.plans, 1)
	assert.True(t, b.plans[0].Whole)
	assert.Equal(t, 1, b.feeds[0].Weddings)
	assert.Equal(t, now, *b.feeds[0].LastReadAt)
	assert.Empty(t, poll(), "not due")

	down = true
	for range 100 { // 25 hours
		now = now.Add(15 * time.Minute)
		assert.Equal(t, []string{"a: not read: the feed answered 503"}, poll())
	}
	assert.Len(t, b.plans, 1, "nothing is changed by a feed that is down")
	assert.Equal(t, saturday, *b.feeds[0].LastReadAt)
	assert.Equal(t, 1, b.feeds[0].Weddings)
	assert.Equal(t, `"v1"`, b.feeds[0].ETag)
	assert.Positive(t, alarms[models.CalendarWarning])
	assert.Positive(t, alarms[models.CalendarCritical])
	assert.Contains(t, log.String(), "the calendar is too old")

	down = false
	now = now.Add(15 * time.Minute)
	poll()
	assert.Equal(t, now, *b.feeds[0].LastReadAt)
	assert.Empty(t, b.feeds[0].LastError)
}

func TestOneFeedDoesNotStopAnotherAndHalfAReadingCancelsNothing(t *testing.T) {
	b := &book{feeds: []models.CalendarFeed{
		{ID: "f1", Source: "bad", Format: models.FormatCSV, EverySeconds: 60, Enabled: true, CreatedAt: saturday},
		{ID: "f2", Source: "broken", Format: models.FormatICS, EverySeconds: 60, Enabled: true, CreatedAt: saturday},
		{ID: "f3", Source: "same", Format: models.FormatCSV, EverySeconds: 60, Enabled: true, CreatedAt: saturday},
	}}
	p := &Poller{
		Feeds: b, Now: func() time.Time { return saturday }, Log: slog.New(slog.DiscardHandler), Importer: &Importer{Planner: b, Now: func() time.Time { return saturday }},
		Source: web{
			"bad": func() (Fetched, error) {
				return Fetched{Data: []byte(goodCSV + "B-2,Mars,2027-06-12T14:00,,5,Ben Secret\n"), ETag: "x"}, nil
			},
			"broken": func() (Fetched, error) { return Fetched{Data: []byte("<html>Anna Secret</html>")}, nil },
			"same":   func() (Fetched, error) { return Fetched{Unmodified: true}, nil },
		},
	}
	lines, err := p.PollFeeds(t.Context())
	require.NoError(t, err)
	assert.Len(t, lines, 3)
	require.Len(t, b.plans, 1)
	assert.False(t, b.plans[0].Whole)
	assert.Len(t, b.plans[0].Rows, 1)
	assert.Nil(t, b.feeds[0].LastReadAt)
	assert.Contains(t, b.feeds[0].LastError, "1 of 2 weddings")
	assert.Empty(t, b.feeds[0].ETag, "it is read again")
	assert.Contains(t, b.feeds[1].LastError, "iCalendar")
	assert.NotNil(t, b.feeds[2].LastReadAt)
	assert.NotContains(t, fmt.Sprint(lines, b.feeds[0].LastError, b.feeds[1].LastError), "Secret")

	b.err = &models.Error{Kind: models.KindConflict, Field: "weddings", Rule: "too many vanish"}
	b.feeds = b.feeds[:1]
	b.feeds[0].LastAttemptAt = nil
	p.Source = web{"bad": func() (Fetched, error) { return Fetched{Data: []byte(goodCSV)}, nil }}
	_, err = p.PollFeeds(t.Context())
	require.NoError(t, err)
	assert.Contains(t, b.feeds[0].LastError, "too many vanish")
	require.Len(t, b.plans, 3)
	assert.False(t, b.plans[2].Whole, "what is new is taken, and nothing cancelled")
	assert.Nil(t, b.feeds[0].LastReadAt)
}

func TestAnAgeIsJudgedByTheWeekday(t *testing.T) {
	for name, c := range map[string]struct {
		now  time.Time
		age  time.Duration
		want models.CalendarAlarm
	}{
		"six hours on a Saturday":         {saturday, 6 * time.Hour, models.CalendarFresh},
		"seven hours on a Saturday":       {saturday, 7 * time.Hour, models.CalendarWarning},
		"seven hours on a Thursday":       {saturday.AddDate(0, 0, -2), 7 * time.Hour, models.CalendarFresh},
		"seven hours on a Friday":         {saturday.AddDate(0, 0, -1), 7 * time.Hour, models.CalendarWarning},
		"seven hours on a Sunday":         {saturday.AddDate(0, 0, 1), 7 * time.Hour, models.CalendarWarning},
		"more than a day on a Wednesday":  {saturday.AddDate(0, 0, -3), 25 * time.Hour, models.CalendarCritical},
		"a day to the hour, on a Tuesday": {saturday.AddDate(0, 0, -4), 24 * time.Hour, models.CalendarFresh},
	} {
		assert.Equal(t, c.want, models.AlarmOf(c.age, c.now), name)
	}
}
