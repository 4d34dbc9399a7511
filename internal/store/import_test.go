package store

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// box stands for the encryption, which has tests of its own.
type box struct{ id string }

func (b box) Seal(plain, belongsTo []byte) (string, []byte, error) {
	pad := make([]byte, len(plain))
	_, _ = rand.Read(pad)
	out := append([]byte{}, pad...)
	for i, c := range plain {
		out = append(out, c^pad[i]^byte(len(belongsTo)))
	}
	return b.id, out, nil
}

func (b box) Current() string { return b.id }

func (b box) Open(keyID string, sealed, belongsTo []byte) ([]byte, error) {
	if keyID != b.id {
		return nil, models.NotFound("key", keyID)
	}
	half := len(sealed) / 2
	out := make([]byte, half)
	for i := range out {
		out[i] = sealed[half+i] ^ sealed[i] ^ byte(len(belongsTo))
	}
	return out, nil
}

func rows(references ...string) []models.ImportRow {
	var out []models.ImportRow
	for i, ref := range references {
		w := aWedding(ref, "")
		w.Source, w.Region = "crm", ""
		out = append(out, models.ImportRow{Line: i + 2, Wedding: w, Keep: models.ImportKeep{Type: true, Tier: true, Region: true, Coordinator: true}})
	}
	return out
}

func plan(whole bool, rows ...models.ImportRow) models.ImportPlan {
	return models.ImportPlan{Source: "crm", Rows: rows, Whole: whole, Actor: "user:anna", Now: noon.Add(-24 * time.Hour)}
}

func TestAnImportRepeatedChangesNothing(t *testing.T) {
	s := fresh(t)
	first, err := s.ImportWeddings(t.Context(), plan(false, rows("a", "b", "c")...))
	require.NoError(t, err)
	assert.Equal(t, 3, first.Created)
	require.Len(t, first.Changes, 3)
	assert.Equal(t, models.WeddingWasCreated, first.Changes[0].Kind)

	again, err := s.ImportWeddings(t.Context(), plan(false, rows("a", "b", "c")...))
	require.NoError(t, err)
	assert.Equal(t, models.ImportReport{Unchanged: 3}, again)
	all, err := s.Weddings(t.Context(), models.WeddingFilter{Source: "crm"})
	require.NoError(t, err)
	require.Len(t, all, 3)
	for _, w := range all {
		assert.Equal(t, int64(1), w.Revision)
	}
}

func TestAnImportChangesWhatIsOtherAndKeepsWhatTheFileLeftOut(t *testing.T) {
	s := fresh(t)
	_, err := s.ImportWeddings(t.Context(), plan(false, rows("a", "b")...))
	require.NoError(t, err)
	all, err := s.Weddings(t.Context(), models.WeddingFilter{})
	require.NoError(t, err)
	mine := all[0]
	mine.Tier, mine.Coordinator = models.TierOfFlagship, "user:carla"
	mine, err = s.UpdateWedding(t.Context(), mine)
	require.NoError(t, err)

	next := rows(mine.Reference)
	next[0].Wedding.Guests = 300
	got, err := s.ImportWeddings(t.Context(), plan(false, next...))
	require.NoError(t, err)
	assert.Equal(t, 1, got.Changed)
	assert.Zero(t, got.Cancelled, "what a part does not name stays")
	require.Len(t, got.Changes, 1)
	assert.Equal(t, 120, got.Changes[0].Before.Guests)
	stored, err := s.Wedding(t.Context(), mine.ID)
	require.NoError(t, err)
	assert.Equal(t, 300, stored.Guests)
	assert.Equal(t, models.TierOfFlagship, stored.Tier)
	assert.Equal(t, "user:carla", stored.Coordinator)
	assert.Equal(t, mine.Revision+1, stored.Revision)
	assert.Equal(t, mine.CreatedAt, stored.CreatedAt)
}

func TestAnOlderVersionNeverOverwrites(t *testing.T) {
	s := fresh(t)
	newer := rows("a")
	newer[0].Wedding.SourceVersion, newer[0].Wedding.Guests = 3, 200
	_, err := s.ImportWeddings(t.Context(), plan(false, newer...))
	require.NoError(t, err)
	older := rows("a")
	older[0].Wedding.SourceVersion = 2
	got, err := s.ImportWeddings(t.Context(), plan(false, older...))
	require.NoError(t, err)
	assert.Equal(t, models.ImportReport{Stale: 1}, got)
	older[0].Wedding.SourceVersion, older[0].Keep.Version, older[0].Keep.UID = 0, true, true
	got, err = s.ImportWeddings(t.Context(), plan(false, older...))
	require.NoError(t, err)
	assert.Equal(t, 1, got.Changed, "a file that counts no versions is no older one")
}

func TestWhatVanishedFromAWholeReadingIsCancelled(t *testing.T) {
	s := fresh(t)
	all := rows("a", "b", "past")
	all[2].Wedding.StartsAt, all[2].Wedding.EndsAt = noon.Add(-72*time.Hour), noon.Add(-60*time.Hour)
	_, err := s.ImportWeddings(t.Context(), plan(true, all...))
	require.NoError(t, err)
	other := aWedding("elsewhere", "")
	_, err = s.CreateWedding(t.Context(), other)
	require.NoError(t, err)

	dry := plan(true, rows("a")...)
	dry.DryRun = true
	got, err := s.ImportWeddings(t.Context(), dry)
	require.NoError(t, err)
	assert.Equal(t, 1, got.Cancelled)
	standing, err := s.Weddings(t.Context(), models.WeddingFilter{})
	require.NoError(t, err)
	assert.Len(t, standing, 4, "a dry run changes nothing")

	got, err = s.ImportWeddings(t.Context(), plan(true, rows("a")...))
	require.NoError(t, err)
	assert.Equal(t, 1, got.Cancelled)
	assert.Equal(t, 1, got.Unchanged)
	gone, err := s.Weddings(t.Context(), models.WeddingFilter{Status: models.WeddingCancelled})
	require.NoError(t, err)
	require.Len(t, gone, 1, "not what is past, nor another source's")
	assert.Equal(t, "b", gone[0].Reference)

	back, err := s.ImportWeddings(t.Context(), plan(true, rows("a", "b")...))
	require.NoError(t, err)
	assert.Equal(t, 1, back.Changed, "and it may come back")
}

func TestHalfACalendarDoesNotVanishAtOnce(t *testing.T) {
	s := fresh(t)
	_, err := s.ImportWeddings(t.Context(), plan(true, rows("a", "b", "c", "d", "e", "f", "g", "h")...))
	require.NoError(t, err)
	_, err = s.ImportWeddings(t.Context(), plan(true))
	assertError(t, err, models.KindConflict, "weddings")
	standing, err := s.Weddings(t.Context(), models.WeddingFilter{})
	require.NoError(t, err)
	assert.Len(t, standing, 8)
}

func TestALargeImportIsOneTransaction(t *testing.T) {
	s := fresh(t)
	var many []models.ImportRow
	for range 3000 {
		many = append(many, rows(newID())...)
	}
	got, err := s.ImportWeddings(t.Context(), plan(false, many...))
	require.NoError(t, err)
	assert.Equal(t, 3000, got.Created)
	again, err := s.ImportWeddings(t.Context(), plan(false, many...))
	require.NoError(t, err)
	assert.Equal(t, 3000, again.Unchanged)

	bad := rows("x", "y")
	bad[1].Wedding.Guests = -1
	_, err = s.ImportWeddings(t.Context(), plan(false, bad...))
	require.Error(t, err)
	n, err := s.Weddings(t.Context(), models.WeddingFilter{})
	require.NoError(t, err)
	assert.Len(t, n, 3000, "all or nothing")
}

func TestContactsAreSealedOrRefused(t *testing.T) {
	_, appURL := database(t)
	plainStore := open(t, appURL).As(system)
	with := rows("a")
	with[0].Contact = &models.WeddingContact{Name: "Anna Example", Email: "anna@example.org"}
	dry := plan(false, with...)
	dry.DryRun = true
	for _, p := range []models.ImportPlan{dry, plan(false, with...)} {
		_, err := plainStore.ImportWeddings(t.Context(), p)
		assertError(t, err, models.KindConflict, "contact")
		require.ErrorContains(t, err, "WEDDING_CONTACT_KEYS")
		assert.NotContains(t, err.Error(), "Anna")
	}
	none, err := plainStore.Weddings(t.Context(), models.WeddingFilter{})
	require.NoError(t, err)
	assert.Empty(t, none, "the wedding is not stored without what belongs to it")

	s, err := Open(t.Context(), Options{URL: appURL, Contacts: box{"k1"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	s = s.As(system)
	got, err := s.ImportWeddings(t.Context(), plan(false, with...))
	require.NoError(t, err)
	id := got.Changes[0].After.ID
	contact, err := s.WeddingContact(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, *with[0].Contact, contact)
	n, code := try(t, connect(t, appURL), system, "SELECT FROM wedding_contacts WHERE encode(sealed, 'escape') LIKE '%nna%' OR key_id <> 'k1'")
	assert.Empty(t, code)
	assert.Zero(t, n, "nothing of it stands in the clear")

	require.NoError(t, s.SaveWeddingContact(t.Context(), id, models.WeddingContact{Phone: "+44 20 7946 0000"}, "user:anna"))
	contact, err = s.WeddingContact(t.Context(), id)
	require.NoError(t, err)
	assert.Empty(t, contact.Name)
	assertError(t, s.SaveWeddingContact(t.Context(), "nobody", contact, "user:anna"), models.KindNotFound, "weddingId")
	require.NoError(t, s.ForgetWeddingContact(t.Context(), id))
	_, err = s.WeddingContact(t.Context(), id)
	assertError(t, err, models.KindNotFound, "wedding_id")
	assertError(t, s.ForgetWeddingContact(t.Context(), id), models.KindNotFound, "id")
}

func TestTheCalendarIsAsOldAsItsOldestFeed(t *testing.T) {
	s := fresh(t)
	at, err := s.CalendarReadAt(t.Context())
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), at, time.Minute, "without a feed people keep it")

	feed := models.CalendarFeed{URL: "https://x.test/a", Format: models.FormatICS, Source: "a", EverySeconds: 900, Enabled: true, CreatedAt: noon, UpdatedAt: noon, CreatedBy: "user:anna"}
	a, err := s.CreateCalendarFeed(t.Context(), feed)
	require.NoError(t, err)
	_, err = s.CreateCalendarFeed(t.Context(), feed)
	assertError(t, err, models.KindConflict, "source")
	at, err = s.CalendarReadAt(t.Context())
	require.NoError(t, err)
	assert.Equal(t, noon, at, "never read: since it was made")

	read := noon.Add(time.Hour)
	a.LastReadAt, a.LastAttemptAt, a.Weddings, a.ETag = &read, &read, 7, `"x"`
	require.NoError(t, s.SaveFeedReading(t.Context(), a))
	feed.Source, feed.Enabled = "off", false
	_, err = s.CreateCalendarFeed(t.Context(), feed)
	require.NoError(t, err)
	at, err = s.CalendarReadAt(t.Context())
	require.NoError(t, err)
	assert.Equal(t, read, at, "a feed that is off does not count")
	feeds, err := s.CalendarFeeds(t.Context())
	require.NoError(t, err)
	require.Len(t, feeds, 2)
	a.UpdatedAt = feeds[0].UpdatedAt
	assert.Equal(t, a, feeds[0])

	a.EverySeconds, a.Enabled = 60, false
	changed, err := s.UpdateCalendarFeed(t.Context(), a)
	require.NoError(t, err)
	a.UpdatedAt = changed.UpdatedAt
	assert.Equal(t, a, changed, "what was read is kept")
	a.URL = "https://x.test/moved"
	changed, err = s.UpdateCalendarFeed(t.Context(), a)
	require.NoError(t, err)
	assert.Nil(t, changed.LastAttemptAt, "another address is due at once")
	assert.Empty(t, changed.ETag)
	feeds, err = s.CalendarFeeds(t.Context())
	require.NoError(t, err)
	assert.Equal(t, changed, feeds[0])
	a.Source = "b"
	_, err = s.UpdateCalendarFeed(t.Context(), a)
	assertError(t, err, models.KindInvalid, "source")
	_, err = s.UpdateCalendarFeed(t.Context(), models.CalendarFeed{ID: "none"})
	assertError(t, err, models.KindNotFound, "id")
	require.NoError(t, s.DeleteCalendarFeed(t.Context(), a.ID))
	assertError(t, s.DeleteCalendarFeed(t.Context(), a.ID), models.KindNotFound, "id")
	counts, err := s.CountWeddings(t.Context(), noon)
	require.NoError(t, err)
	assert.Equal(t, map[models.WeddingStatus]int{models.WeddingConfirmed: 0, models.WeddingTentative: 0, models.WeddingCancelled: 0}, counts)
}

func TestRenamingForgetsWhoItWas(t *testing.T) {
	_, appURL := database(t)
	s, err := Open(t.Context(), Options{URL: appURL, Contacts: box{"k1"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	s = s.As(system)
	with := rows("a", "b")
	with[0].Contact = &models.WeddingContact{Name: "Anna"}
	_, err = s.ImportWeddings(t.Context(), plan(false, with...))
	require.NoError(t, err)
	rename := func(w models.Wedding) models.Wedding {
		if len(w.Reference) == 1 {
			w.Reference = "anon-" + w.Reference
		}
		return w
	}
	renamed, forgotten, err := s.RenameWeddings(t.Context(), rename)
	require.NoError(t, err)
	assert.Equal(t, []int{2, 1}, []int{renamed, forgotten})
	renamed, forgotten, err = s.RenameWeddings(t.Context(), rename)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 0}, []int{renamed, forgotten})
}
