package api

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/models"
)

func (p *platform) Seasons(ctx context.Context) ([]models.Season, error) {
	return []models.Season{{ID: "summer"}}, p.enter(ctx, "Seasons")
}

func (p *platform) Season(ctx context.Context, id string) (models.Season, error) {
	if id != "summer" {
		return models.Season{}, models.NotFound("id", id)
	}
	return models.Season{ID: id, Effective: 3}, p.enter(ctx, "Season")
}

func (p *platform) SeasonPlan(ctx context.Context, season string, version int) (models.SeasonPlan, error) {
	return models.SeasonPlan{SeasonID: season, Version: version}, p.enter(ctx, "SeasonPlan")
}

func (p *platform) StartSeason(ctx context.Context, s models.Season) (models.WorkflowRun, error) {
	p.last = s
	return models.WorkflowRun{WorkflowID: "season/" + s.ID}, p.enter(ctx, "StartSeason")
}

func (p *platform) CommandSeason(ctx context.Context, c models.SeasonCommand) (models.SeasonAnswer, error) {
	p.last = c
	return models.SeasonAnswer{SeasonID: c.SeasonID, Text: "so be it"}, p.enter(ctx, "CommandSeason")
}

func (p *platform) CancelSeason(ctx context.Context, id, actor, reason string) error {
	p.last = []string{id, actor, reason}
	return p.enter(ctx, "CancelSeason")
}

func seasonSamples() map[string]sample {
	start := `{"id":"northern-summer-2027","from":"2027-03-20","until":"2027-10-31","timeZone":"Europe/London"}`
	return map[string]sample{
		"GET /seasons":                {"/seasons", "", 200, "Seasons"},
		"POST /seasons":               {"/seasons", start, 202, "StartSeason"},
		"GET /seasons/:id":            {"/seasons/summer", "", 200, "Season"},
		"GET /seasons/:id/plan":       {"/seasons/summer/plan", "", 200, "SeasonPlan"},
		"POST /seasons/:id/approve":   {"/seasons/summer/approve", `{"reason":"it is right"}`, 200, "CommandSeason"},
		"POST /seasons/:id/reject":    {"/seasons/summer/reject", `{"reason":"too dear"}`, 200, "CommandSeason"},
		"POST /seasons/:id/amend":     {"/seasons/summer/amend", `{"reason":"a fair","edits":[{"service":"api","floor":9}]}`, 200, "CommandSeason"},
		"POST /seasons/:id/skip-gate": {"/seasons/summer/skip-gate", `{"reason":"known","gate":"freeze"}`, 200, "CommandSeason"},
		"POST /seasons/:id/cancel":    {"/seasons/summer/cancel", `{"reason":"no weddings"}`, 202, "CancelSeason"},
	}
}

func TestSeasonsAreStartedCommandedAndRead(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	start := func(body string) request {
		return request{method: http.MethodPost, path: base + "/seasons", as: "admin", body: body}
	}
	get[models.WorkflowRun](t, h, start(seasonSamples()["POST /seasons"].body), 202)
	s, ok := p.last.(models.Season)
	assert.True(t, ok)
	assert.Equal(t, time.Date(2027, 10, 31, 0, 0, 0, 0, time.UTC).Add(24*time.Hour), s.Until, "after its last day, in winter time")
	assert.Equal(t, models.DefaultSeasonBounds(), s.Bounds)
	assert.Equal(t, 400, send(t, h, start(`{"id":"x1","from":"2027-03-20","until":"2027-03-01","timeZone":"Europe/London"}`)).Code)
	assert.Equal(t, 400, send(t, h, start(`{"id":"x1","from":"2027-03-20","until":"2027-10-31","timeZone":"Mars/North"}`)).Code)

	plan := get[models.SeasonPlan](t, h, request{path: base + "/seasons/summer/plan", as: "viewer"}, 200)
	assert.Equal(t, 3, plan.Version, "the one in effect, since none waits")
	plan = get[models.SeasonPlan](t, h, request{path: base + "/seasons/summer/plan?version=2", as: "viewer"}, 200)
	assert.Equal(t, 2, plan.Version)
	assert.Equal(t, 404, send(t, h, request{path: base + "/seasons/winter/plan", as: "viewer"}).Code)

	skip := request{method: http.MethodPost, path: base + "/seasons/summer/skip-gate", as: "admin", body: `{"gate":"load_test","reason":"tested in May"}`}
	get[models.SeasonAnswer](t, h, skip, 200)
	c, ok := p.last.(models.SeasonCommand)
	assert.True(t, ok)
	assert.Equal(t, models.GateLoadTest, c.Gate)
	assert.Equal(t, models.SeasonSkipGate, c.Action)
	skip.body = `{"gate":"load_test"}`
	assert.Equal(t, 400, send(t, h, skip).Code, "a reason is needed")
	skip.as = "operator"
	assert.Equal(t, 403, send(t, h, skip).Code, "operators do not skip gates")
}
