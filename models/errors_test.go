package models_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// breach asserts that an error is bad input in a field.
func breach(t *testing.T, err error, field string) *models.Error {
	t.Helper()
	var e *models.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, models.KindInvalid, e.Kind)
	assert.Equal(t, field, e.Field)
	assert.NotEmpty(t, e.Rule)
	return e
}

func TestKindOfFindsTheFirstClassifiedError(t *testing.T) {
	invalid := models.Invalid("replicas", 0, "must be positive")
	away := models.Unavailable("store.Services", io.EOF)
	cases := map[string]struct {
		err  error
		want models.Kind
	}{
		"none":                              {nil, models.KindInternal},
		"another's":                         {io.EOF, models.KindInternal},
		"ours":                              {invalid, models.KindInvalid},
		"wrapped":                           {fmt.Errorf("api.PutService: %w", away), models.KindUnavailable},
		"joined, the second is ours":        {errors.Join(io.EOF, away), models.KindUnavailable},
		"joined, both are":                  {errors.Join(invalid, away), models.KindInvalid},
		"joined, the first only names":      {errors.Join(&models.Error{Op: "a"}, away), models.KindUnavailable},
		"two wrapped in one":                {fmt.Errorf("%w and %w", io.EOF, invalid), models.KindInvalid},
		"an operation around":               {&models.Error{Op: "launch.Start", Err: invalid}, models.KindInvalid},
		"an operation around nothing known": {&models.Error{Op: "launch.Start", Err: io.EOF}, models.KindInternal},
		"the outer kind counts":             {&models.Error{Kind: models.KindConflict, Err: invalid}, models.KindConflict},
		"not found":                         {models.NotFound("service", "x"), models.KindNotFound},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, models.KindOf(c.err)) })
	}
}

func TestErrorsReadAsOneLine(t *testing.T) {
	cases := map[string]struct {
		err  *models.Error
		want string
	}{
		"input":               {models.Invalid("guests", -1, "must be from 1 to 100000"), `guests="-1": must be from 1 to 100000`},
		"a field left out":    {models.Invalid("from", "", "is required"), "from: is required"},
		"a dependency":        {models.Unavailable("store.Services", io.ErrUnexpectedEOF), "store.Services: unexpected EOF"},
		"what is not there":   {models.NotFound("id", "w1"), `id="w1": does not exist`},
		"nothing but a kind":  {&models.Error{Kind: models.KindConflict}, "conflict"},
		"quotes are escaped":  {models.Invalid("name", "a\"\nb", "no"), `name="a\"\nb": no`},
		"an empty error":      {&models.Error{}, ""},
		"operation and field": {&models.Error{Op: "api", Field: "x", Rule: "no"}, "api: x: no"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, c.err.Error()) })
	}
	assert.ErrorIs(t, models.Unavailable("x", io.EOF), io.EOF)
}

func TestHostileValuesAreCutAtAWholeCharacter(t *testing.T) {
	e := models.Invalid("reason", "a"+strings.Repeat("é", 1000), "no")
	assert.LessOrEqual(t, len(e.Value), 123)
	assert.True(t, utf8.ValidString(e.Value))
	assert.True(t, strings.HasSuffix(e.Value, "é…"))
}

func TestParsersNameTheFieldAndWhatIsAllowed(t *testing.T) {
	for _, s := range models.ServiceNames() {
		got, err := models.ParseServiceName("service", string(s))
		require.NoError(t, err)
		assert.Equal(t, s, got)
	}
	for _, m := range models.MetricNames() {
		got, err := models.ParseMetricName("metric", string(m))
		require.NoError(t, err)
		assert.Equal(t, m, got)
	}
	for _, bad := range []string{"", "API", "api ", "databases", "api\x00"} {
		_, err := models.ParseServiceName("samples[3].service", bad)
		e := breach(t, err, "samples[3].service")
		assert.Equal(t, bad, e.Value)
		assert.Equal(t, "must be one of api, database, auth, storage, realtime, media, notifications, search, analytics", e.Rule)
		_, err = models.ParseMetricName("samples[3].metric", bad)
		assert.Equal(t, "must be one of throughput, cpu, memory, response_time_p95, error_rate, queue_depth, connections", breach(t, err, "samples[3].metric").Rule)
	}
	assert.Len(t, models.ServiceNames(), 9)
}
