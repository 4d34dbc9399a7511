package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// alertRoutes are the routes of what threat detection found.
func alertRoutes() []route {
	return []route{
		{method: http.MethodGet, path: base + "/security/alerts", permission: models.PermissionAudit},
		{method: http.MethodPost, path: base + "/security/alerts/:id/acknowledge", permission: models.PermissionPolicy},
	}
}

// ListSecurityAlerts gives a page of alerts, newest first.
func (s *server) ListSecurityAlerts(c *gin.Context, p gen.ListSecurityAlertsParams) {
	limit := valueOr(p.Limit, 50)
	f := models.ThreatFilter{
		Since: valueOr(p.Since, time.Time{}), Severity: models.ThreatSeverity(valueOr(p.Severity, "")), Rule: models.ThreatRule(valueOr(p.Rule, "")),
		Limit: limit + 1, // one more says whether there is a next page
	}
	var err error
	if f.Before, err = parseCursor(p.Cursor); err != nil {
		s.fail(c, err)
		return
	}
	items, err := s.Alerts.SecurityAlerts(c.Request.Context(), f)
	if err != nil {
		s.fail(c, err)
		return
	}
	page := gen.SecurityAlertPage{}
	page.Items, page.NextCursor = paged(items, limit, func(t models.Threat) models.Cursor { return models.Cursor{At: t.RaisedAt, ID: t.ID} })
	c.JSON(http.StatusOK, page)
}

// AcknowledgeSecurityAlert says that a person has looked at an alert, and what they found.
func (s *server) AcknowledgeSecurityAlert(c *gin.Context, id gen.IDPath) {
	in, err := decode[gen.AcknowledgementInput](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	k := callOf(c)
	t, err := s.Alerts.AcknowledgeAlert(c.Request.Context(), models.Acknowledgement{ID: id, Actor: k.identity.Subject, Note: in.Note, At: k.at})
	s.reply(c, http.StatusOK, t, err)
}
