package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// ListAuditEntries gives a page of the audit trail, newest first.
func (s *server) ListAuditEntries(c *gin.Context, p gen.ListAuditEntriesParams) {
	limit := valueOr(p.Limit, 50)
	f := models.AuditFilter{
		From: valueOr(p.Since, time.Time{}), Until: valueOr(p.Until, time.Time{}), Actor: valueOr(p.Actor, ""),
		Action: valueOr(p.Action, ""), Object: valueOr(p.Object, ""), Decision: models.AuditDecision(valueOr(p.Decision, "")),
		Limit: limit + 1, // one more says whether there is a next page
	}
	if !f.From.IsZero() && !f.Until.IsZero() && !f.From.Before(f.Until) {
		s.fail(c, models.Invalid("since", f.From.Format(time.RFC3339), "must be before until"))
		return
	}
	var err error
	if f.Before, err = parseCursor(p.Cursor); err != nil {
		s.fail(c, err)
		return
	}
	items, err := s.Trail.AuditEntries(c.Request.Context(), f)
	if err != nil {
		s.fail(c, err)
		return
	}
	page := gen.AuditPage{}
	page.Items, page.NextCursor = paged(items, limit, func(e models.AuditEntry) models.Cursor { return models.Cursor{At: e.At, ID: e.ID} })
	c.JSON(http.StatusOK, page)
}
