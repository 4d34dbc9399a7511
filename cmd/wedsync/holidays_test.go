package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/holidays"
)

func TestEveryCountryThatMayBeConfiguredHasItsHolidays(t *testing.T) {
	cfg, err := config.Load([]string{"WEDDING_HOLIDAY_COUNTRIES=" + strings.Join(holidays.Codes(), ",")})
	require.NoError(t, err)
	_, err = holidays.Of(cfg.Wedding.Holidays)
	require.NoError(t, err)
	_, err = config.Load([]string{"WEDDING_HOLIDAY_COUNTRIES=xx"})
	for _, code := range holidays.Codes() {
		assert.ErrorContains(t, err, code)
	}
}
