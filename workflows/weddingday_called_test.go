package workflows_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func (b *daybook) WeddingDay(context.Context, string, string) (models.WeddingDay, error) {
	defer b.locked()()
	if len(b.rows) == 0 {
		return models.WeddingDay{}, models.NotFound("date", "")
	}
	return b.rows[len(b.rows)-1], nil
}

func (b *daybook) EscalateDay(_ context.Context, _ models.WeddingDay, n models.DayNote) error {
	defer b.locked()()
	b.heard = append(b.heard, n)
	return nil
}

func TestManyWeddingsAtOnceCallPeopleOnce(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	for i := range 12 {
		d.book(t, fmt.Sprint("w", i), "Europe/London", saturday+fmt.Sprintf(" 15:%02d", i/6), 30)
	}
	d.ready = func(at time.Time) int {
		if at.After(ceremony().Add(2 * time.Hour)) {
			return 100
		}
		return 4
	}
	d.play()
	var pages []string
	for _, n := range d.heard {
		if n.Level == models.FlagPage {
			pages = append(pages, n.Text)
		}
	}
	require.Len(t, pages, 1, "not twelve times")
	assert.Contains(t, pages[0], "weddings come")
}
