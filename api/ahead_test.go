package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSpansThatAreNoneOrTooLongAreRefused(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	for name, path := range map[string]string{
		"days, backwards": "/predictions/days?from=2027-07-01T00:00:00Z&until=2027-06-01T00:00:00Z",
		"days, too many":  "/predictions/days?from=2027-07-01T00:00:00Z&until=2028-08-10T00:00:00Z",
		"hours, too many": "/predictions/hours?from=2027-06-01T00:00:00Z&until=2027-06-10T00:00:00Z",
		"steps, too many": "/services/api/timeline?from=2027-06-01T00:00:00Z&until=2027-06-08T00:00:00Z&stepSeconds=10",
	} {
		assert.Equal(t, http.StatusBadRequest, send(t, h, request{path: base + path, as: "viewer"}).Code, name)
	}
	for _, call := range []string{"Days", "Hours", "Timeline"} {
		assert.NotContains(t, p.calls, call)
	}
}

func TestHoursDoNotTellWhichWeddingBringsWhat(t *testing.T) {
	rec := send(t, newPlatform().handler(t), request{path: base + "/predictions/hours?from=2027-06-12T00:00:00Z&until=2027-06-13T00:00:00Z", as: "coordinator"})
	assert.Equal(t, http.StatusOK, rec.Code)
	assert.NotContains(t, rec.Body.String(), another)
}
