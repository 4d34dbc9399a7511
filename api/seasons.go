package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// seasonRoutes are those of seasons. What changes one costs a summer's money: it needs the
// permission to manage.
func seasonRoutes() []route {
	guarded := func(method, path string, p models.Permission) route {
		return route{method: method, path: base + path, permission: p}
	}
	return []route{
		guarded(http.MethodGet, "/seasons", models.PermissionRead),
		guarded(http.MethodPost, "/seasons", models.PermissionManage),
		guarded(http.MethodGet, "/seasons/:id", models.PermissionRead),
		guarded(http.MethodGet, "/seasons/:id/plan", models.PermissionRead),
		guarded(http.MethodPost, "/seasons/:id/approve", models.PermissionManage),
		guarded(http.MethodPost, "/seasons/:id/reject", models.PermissionManage),
		guarded(http.MethodPost, "/seasons/:id/amend", models.PermissionManage),
		guarded(http.MethodPost, "/seasons/:id/skip-gate", models.PermissionManage),
		guarded(http.MethodPost, "/seasons/:id/cancel", models.PermissionManage),
	}
}

// ListSeasons gives the seasons, the latest first.
func (s *server) ListSeasons(c *gin.Context) {
	items, err := s.Seasons.Seasons(c.Request.Context())
	s.reply(c, http.StatusOK, gen.SeasonList{Items: append([]models.Season{}, items...)}, err)
}

// GetSeason gives one season with its gates and capacity certificates.
func (s *server) GetSeason(c *gin.Context, id gen.IDPath) {
	got, err := s.Seasons.Season(c.Request.Context(), id)
	s.reply(c, http.StatusOK, got, err)
}

// GetSeasonPlan gives a version of the plan: the one that waits for a person, else the one
// in effect, unless another is asked for.
func (s *server) GetSeasonPlan(c *gin.Context, id gen.IDPath, p gen.GetSeasonPlanParams) {
	ctx := c.Request.Context()
	got, err := s.Seasons.Season(ctx, id)
	if err != nil {
		s.fail(c, err)
		return
	}
	version := got.Proposed
	if version == 0 {
		version = got.Effective
	}
	version = valueOr(p.Version, version)
	plan, err := s.Seasons.SeasonPlan(ctx, id, version)
	s.reply(c, http.StatusOK, plan, err)
}

// StartSeason begins the preparation of a season.
func (s *server) StartSeason(c *gin.Context) {
	in, err := decode[gen.SeasonStart](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	season, err := models.SeasonOf(in.Id, in.From, in.Until, in.TimeZone, time.LoadLocation)
	if err == nil && !season.Until.After(s.now()) {
		err = models.Invalid("until", in.Until, "must not be over")
	}
	if in.Bounds != nil && err == nil {
		season.Bounds = *in.Bounds
		err = season.Bounds.Validate()
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	season.Name, season.RequestedBy, season.CreatedAt = valueOr(in.Name, in.Id), callOf(c).identity.Subject, s.now()
	run, err := s.SeasonRunner.StartSeason(c.Request.Context(), season)
	if err == nil {
		c.Header("Location", base+"/seasons/"+season.ID)
	}
	s.reply(c, http.StatusAccepted, run, err)
}

// ApproveSeason agrees to the plan that waits.
func (s *server) ApproveSeason(c *gin.Context, id gen.IDPath) {
	in, err := decode[gen.PlanAnswer](c)
	s.commandSeason(c, err, models.SeasonCommand{SeasonID: id, Action: models.SeasonApprove, Reason: in.Reason, Version: valueOr(in.Version, 0)})
}

// RejectSeason says no to the plan that waits.
func (s *server) RejectSeason(c *gin.Context, id gen.IDPath) {
	in, err := decode[gen.PlanAnswer](c)
	s.commandSeason(c, err, models.SeasonCommand{SeasonID: id, Action: models.SeasonReject, Reason: in.Reason, Version: valueOr(in.Version, 0)})
}

// AmendSeason changes figures of the plan.
func (s *server) AmendSeason(c *gin.Context, id gen.IDPath) {
	in, err := decode[gen.PlanAmend](c)
	cmd := models.SeasonCommand{SeasonID: id, Action: models.SeasonAmend, Reason: in.Reason, Bounds: in.Bounds}
	for _, e := range valueOr(in.Edits, nil) {
		cmd.Edits = append(cmd.Edits, models.SeasonEdit{Service: e.Service, Week: e.Week, Floor: valueOr(e.Floor, 0), Peak: valueOr(e.Peak, 0)})
	}
	s.commandSeason(c, err, cmd)
}

// SkipSeasonGate leaves a gate out, for a reason.
func (s *server) SkipSeasonGate(c *gin.Context, id gen.IDPath) {
	in, err := decode[gen.GateSkip](c)
	s.commandSeason(c, err, models.SeasonCommand{SeasonID: id, Action: models.SeasonSkipGate, Reason: in.Reason, Gate: models.GateName(in.Gate)})
}

// commandSeason carries a command to the preparation, which alone knows what it may take.
func (s *server) commandSeason(c *gin.Context, err error, cmd models.SeasonCommand) {
	var answer models.SeasonAnswer
	if err == nil {
		k := callOf(c)
		cmd.Actor, cmd.RequestID = k.identity.Subject, k.identity.Subject+"/"+k.requestID
		answer, err = s.SeasonRunner.CommandSeason(c.Request.Context(), cmd)
	}
	s.reply(c, http.StatusOK, answer, err)
}

// CancelSeason ends a preparation.
func (s *server) CancelSeason(c *gin.Context, id gen.IDPath) {
	in, err := decode[gen.WorkflowCancel](c)
	if err == nil {
		err = s.SeasonRunner.CancelSeason(c.Request.Context(), id, callOf(c).identity.Subject, in.Reason)
	}
	s.reply(c, http.StatusAccepted, gen.WorkflowReceipt{WorkflowId: "season/" + id, Text: "The preparation was asked to stop; all that it reserved is released."}, err)
}
