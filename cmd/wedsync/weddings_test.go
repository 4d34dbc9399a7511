package main

import (
	"bytes"
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/calendar"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
)

func TestAMadeUpSeasonIsImportedOnceInEachFormat(t *testing.T) {
	ownerURL, appURL := devstacktest.Postgres(t)
	require.NoError(t, store.Migrate(t.Context(), ownerURL, devstack.AppRole, nil))
	st, err := store.Open(t.Context(), store.Options{URL: appURL})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	importer := calendar.Importer{Planner: st.As(models.Scope{Role: models.ScopeSystem, Subject: "test"}), Now: func() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) }}
	made, err := madeUp(400, "2027-03-20", "2027-10-31", 7)
	require.NoError(t, err)
	for i, format := range []models.CalendarFormat{models.FormatJSONL, models.FormatCSV, models.FormatICS, models.FormatICS} {
		var out bytes.Buffer
		require.NoError(t, calendar.Write(&out, format, made))
		got, err := importer.Import(t.Context(), models.ImportRequest{Source: "season", Format: format, Whole: true, Data: out.Bytes()}, "user:anna")
		require.NoError(t, err)
		require.Empty(t, got.Faults)
		want := [][3]int{{400, 0, 0}, {0, 0, 400}, {0, 400, 0}, {0, 0, 400}}[i] // a calendar has UIDs too
		assert.Equal(t, want, [3]int{got.Created, got.Changed, got.Unchanged}, format)
		assert.Zero(t, got.Cancelled)
	}
	_, err = madeUp(10, "20 March", "2027-10-31", 7)
	assert.Equal(t, models.KindInvalid, models.KindOf(err))
}

func TestContactsAreEncryptedUnderTheKeysOfTheEnvironmentAndReadByFew(t *testing.T) {
	ownerURL, appURL := devstacktest.Postgres(t)
	require.NoError(t, store.Migrate(t.Context(), ownerURL, devstack.AppRole, nil))
	key := func(id string, fill byte) string {
		return id + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32))
	}
	with := func(keys string) *store.Store {
		box, err := contactBox(config.Wedding{ContactKeys: config.Secret(keys)})
		require.NoError(t, err)
		st, err := store.Open(t.Context(), store.Options{URL: appURL, Contacts: box})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, st.Close()) })
		return st
	}
	old := with(key("k1", 1))
	admin := old.As(models.Scope{Role: models.ScopeAdmin, Subject: "user:anna"})
	importer := calendar.Importer{Planner: admin, Now: time.Now}
	file := "reference,timeZone,startsAt,guests,coordinator,contactName,contactEmail\nB-1,Europe/London,2027-06-12T14:00,100,user:carla,Anna Example,anna@example.org\n"
	got, err := importer.Import(t.Context(), models.ImportRequest{Source: "crm", Format: models.FormatCSV, Data: []byte(file)}, "user:anna")
	require.NoError(t, err)
	require.Len(t, got.Changes, 1)
	id := got.Changes[0].After.ID

	rotated := with(key("k2", 2) + "," + key("k1", 1))
	for name, c := range map[string]struct {
		scope models.Scope
		may   bool
	}{
		"an admin":            {models.Scope{Role: models.ScopeAdmin, Subject: "user:anna"}, true},
		"its coordinator":     {models.Scope{Role: models.ScopeCoordinator, Subject: "user:carla"}, true},
		"another coordinator": {models.Scope{Role: models.ScopeCoordinator, Subject: "user:other"}, false},
		"an operator":         {models.Scope{Role: models.ScopeOperator, Subject: "user:olga"}, false},
		"a viewer":            {models.Scope{Role: models.ScopeViewer, Subject: "user:vera"}, false},
	} {
		contact, err := rotated.As(c.scope).WeddingContact(t.Context(), id)
		if c.may {
			require.NoError(t, err, name)
			assert.Equal(t, models.WeddingContact{Name: "Anna Example", Email: "anna@example.org"}, contact)
			continue
		}
		assert.Equal(t, models.KindNotFound, models.KindOf(err), name)
	}
	_, err = with(key("k3", 3)).As(models.Scope{Role: models.ScopeAdmin, Subject: "user:anna"}).WeddingContact(t.Context(), id)
	require.ErrorContains(t, err, `needs key "k1"`)
	_, err = contactBox(config.Wedding{ContactKeys: "k1:c2hvcnQ="})
	require.ErrorContains(t, err, "WEDDING_CONTACT_KEYS")
	assert.NotContains(t, err.Error(), "c2hvcnQ=")
	none, err := contactBox(config.Wedding{})
	require.NoError(t, err)
	assert.Nil(t, none)
}
