package models_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/models"
)

func TestEditsCountHowFarNamesAreApart(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"abc", "abc", 0}, {"ab", "ba", 2}} {
		assert.Equal(t, c.want, models.Edits(c.a, c.b), "%s %s", c.a, c.b)
		assert.Equal(t, c.want, models.Edits(c.b, c.a), "%s %s", c.b, c.a)
	}
}
