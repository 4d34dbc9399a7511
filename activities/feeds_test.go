package activities_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/activities"
)

type feeds struct{ err error }

func (f feeds) PollFeeds(context.Context) ([]string, error) { return []string{"crm: as it was"}, f.err }

func TestCalendarFeedsAreReadWhereThereAreAny(t *testing.T) {
	got, err := (&activities.Maintainer{Feeds: feeds{}}).ReadCalendarFeeds(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"crm: as it was"}, got.Changed)
	got, err = (&activities.Maintainer{}).ReadCalendarFeeds(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{}, got.Changed)
	_, err = (&activities.Maintainer{Feeds: feeds{errors.New("away")}}).ReadCalendarFeeds(t.Context())
	require.ErrorContains(t, err, "away")
}
