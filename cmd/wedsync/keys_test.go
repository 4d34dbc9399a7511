package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/sealed"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
)

// keyText is a key as the configuration has it.
func keyText(id string, fill byte) string {
	return id + ":" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(fill), 32)))
}

// withContacts is a trailed database with contacts under a key.
func withContacts(t *testing.T, n int, keys string) (root string, st *store.Store) {
	t.Helper()
	root, _, _ = trailed(t)
	dev, err := devDatabase(root)
	require.NoError(t, err)
	parsed, err := sealed.ParseKeys(keys)
	require.NoError(t, err)
	box, err := sealed.NewBox(parsed)
	require.NoError(t, err)
	pool, err := store.Open(t.Context(), store.Options{URL: dev, MaxConnections: 2, Contacts: box})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	st = pool.As(models.Scope{Role: models.ScopeSystem, Subject: "test"})
	for i := range n {
		w, err := models.Wedding{
			Reference: fmt.Sprint("ref-", i), TimeZone: "Europe/London", StartsAt: time.Now().Add(time.Hour), EndsAt: time.Now().Add(9 * time.Hour), Guests: 10, Status: models.WeddingConfirmed,
		}.Normalise(time.LoadLocation)
		require.NoError(t, err)
		w.ID = fmt.Sprintf("w%02d", i)
		_, err = st.CreateWedding(t.Context(), w)
		require.NoError(t, err)
		require.NoError(t, st.SaveWeddingContact(t.Context(), w.ID, models.WeddingContact{Name: fmt.Sprint("Anna ", i), Email: "anna@example.org"}, "user:carla"))
	}
	return root, st
}

func TestContactsAreEncryptedAnewUnderTheFirstKeyOnceAndOnRecord(t *testing.T) {
	older, newer := keyText("k1", 'a'), keyText("k2", 'b')
	root, _ := withContacts(t, 12, older)
	t.Setenv("WEDDING_CONTACT_KEYS", newer+","+older)
	out, _, err := run(t, "keys", "status", "--root", root)
	require.NoError(t, err)
	assert.Regexp(t, `k2 +0 +seals\nk1 +12 +opens; run`, out)

	out, _, err = run(t, "keys", "reencrypt", "--root", root, "--batch", "5")
	require.NoError(t, err)
	assert.Contains(t, out, "12 contacts encrypted anew")
	assert.Regexp(t, `k2 +12 +seals\nk1 +0 +opens nothing any more`, out)
	out, _, err = run(t, "keys", "reencrypt", "--root", root)
	require.NoError(t, err)
	assert.Contains(t, out, "0 contacts encrypted anew", "a second run changes nothing")

	t.Setenv("WEDDING_CONTACT_KEYS", newer)
	st := reopened(t, root, newer)
	for i := range 12 {
		c, err := st.WeddingContact(t.Context(), fmt.Sprintf("w%02d", i))
		require.NoError(t, err, "without the old key")
		assert.Equal(t, fmt.Sprint("Anna ", i), c.Name)
	}
	entries, err := st.AuditEntries(t.Context(), models.AuditFilter{Action: "change.reencrypt.contacts"})
	require.NoError(t, err)
	require.Len(t, entries, 3, "one for each batch, and none for the run that changed nothing")
	assert.Equal(t, []string{"contacts", "k2", "2"}, []string{entries[0].Object, entries[0].Context["key"], entries[0].Context["count"]})
	assert.True(t, strings.HasPrefix(entries[0].Actor, "svc:cli"))
	out, _, err = run(t, "audit", "verify", "--root", root)
	require.NoError(t, err, out)
}

// reopened is the same database with other keys.
func reopened(t *testing.T, root, keys string) *store.Store {
	t.Helper()
	dev, err := devDatabase(root)
	require.NoError(t, err)
	parsed, err := sealed.ParseKeys(keys)
	require.NoError(t, err)
	box, err := sealed.NewBox(parsed)
	require.NoError(t, err)
	pool, err := store.Open(t.Context(), store.Options{URL: dev, MaxConnections: 2, Contacts: box})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	return pool.As(models.Scope{Role: models.ScopeSystem, Subject: "test"})
}

func TestWhatWasStoppedGoesOnAndWhatNobodyOpensIsNamed(t *testing.T) {
	older, newer, lost := keyText("k1", 'a'), keyText("k2", 'b'), keyText("k0", 'z')
	root, _ := withContacts(t, 7, older)
	st := reopened(t, root, lost)
	require.NoError(t, st.SaveWeddingContact(t.Context(), "w03", models.WeddingContact{Name: "Eve"}, "user:carla"))

	// One step, and then the process is gone.
	st = reopened(t, root, newer+","+older)
	step, err := st.ReencryptContacts(t.Context(), "", 2)
	require.NoError(t, err)
	assert.Equal(t, store.Resealed{Done: 2, Last: "w01"}, step)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = st.ReencryptContacts(ctx, "", 2)
	require.Error(t, err)

	t.Setenv("WEDDING_CONTACT_KEYS", newer+","+older)
	out, _, err := run(t, "keys", "reencrypt", "--root", root, "--batch", "2")
	require.ErrorContains(t, err, "1 contacts are opened by none of the keys, such as those of w03")
	assert.Contains(t, out, "4 contacts encrypted anew")
	assert.Regexp(t, `k0 +1 +not among WEDDING_CONTACT_KEYS`, out)
	for i := range 7 {
		c, err := st.WeddingContact(t.Context(), fmt.Sprintf("w%02d", i))
		if i == 3 {
			require.Error(t, err, "it is left as it was")
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprint("Anna ", i), c.Name)
	}
	raw, err := json.Marshal(step)
	require.NoError(t, err)
	assert.NotContains(t, string(raw), "Anna")
}

func TestReencryptionSaysWhatItNeeds(t *testing.T) {
	root, _, _ := trailed(t)
	t.Setenv("WEDDING_CONTACT_KEYS", "")
	_, _, err := run(t, "keys", "reencrypt", "--root", root)
	require.ErrorContains(t, err, "WEDDING_CONTACT_KEYS is not set")
	t.Setenv("WEDDING_CONTACT_KEYS", "k1:short")
	_, _, err = run(t, "keys", "status", "--root", root)
	require.ErrorContains(t, err, "WEDDING_CONTACT_KEYS")
	assert.NotContains(t, err.Error(), "short")
	_, _, err = run(t, "keys", "reencrypt", "--root", root, "--batch", "0")
	require.ErrorContains(t, err, "--batch")
}

func TestACommandThatReadsCannotChange(t *testing.T) {
	root, _, _ := trailed(t)
	a := archive{root: root}
	st, err := a.open(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	_, err = st.SeedServices(t.Context(), models.DefaultServices("fleet"))
	require.ErrorContains(t, err, "may only read")
	services, err := st.Services(t.Context())
	require.NoError(t, err)
	assert.Empty(t, services)
}
