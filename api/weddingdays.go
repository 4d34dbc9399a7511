package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// dayRoutes are those of wedding days. A coordinator commands own weddings alone, which the
// guard looks at by the wedding in the path.
func dayRoutes() []route {
	const (
		read     = models.PermissionRead
		scale    = models.PermissionScaleStandard
		priority = models.PermissionWeddingPriority
	)
	guarded := func(method, path string, p models.Permission) route {
		return route{method: method, path: base + path, permission: p}
	}
	return []route{
		guarded(http.MethodPost, "/weddings/:id/extend", priority),
		guarded(http.MethodPost, "/weddings/:id/raise-floor", priority),
		guarded(http.MethodGet, "/wedding-days", read),
		guarded(http.MethodPost, "/wedding-days", scale),
		guarded(http.MethodGet, "/wedding-days/:date", read),
		guarded(http.MethodPost, "/wedding-days/:date/extend", scale),
		guarded(http.MethodPost, "/wedding-days/:date/end", scale),
		guarded(http.MethodPost, "/wedding-days/:date/raise-floor", scale),
		guarded(http.MethodPost, "/wedding-days/:date/cancel", models.PermissionManage),
	}
}

// ListWeddingDays gives days as they stand.
func (s *server) ListWeddingDays(c *gin.Context, p gen.ListWeddingDaysParams) {
	items, err := s.WeddingDays.WeddingDays(c.Request.Context(), models.WeddingDayQuery{From: valueOr(p.From, ""), Until: valueOr(p.Until, ""), Limit: valueOr(p.Limit, 50)})
	s.reply(c, http.StatusOK, gen.WeddingDayList{Items: append([]models.WeddingDay{}, items...)}, err)
}

// GetWeddingDay gives one day.
func (s *server) GetWeddingDay(c *gin.Context, date gen.DatePath, p gen.GetWeddingDayParams) {
	err := checkDate(date)
	var d models.WeddingDay
	if err == nil {
		d, err = s.WeddingDays.WeddingDay(c.Request.Context(), date, valueOr(p.Region, ""))
	}
	s.reply(c, http.StatusOK, d, err)
}

// checkDate refuses what looks like a date and is none.
func checkDate(date string) error {
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return models.Invalid("date", date, "must be a date as in 2027-06-12")
	}
	return nil
}

// StartWeddingDay starts the workflow of a date.
func (s *server) StartWeddingDay(c *gin.Context) {
	in, err := decode[gen.WeddingDayStart](c)
	if err == nil {
		err = checkDate(in.Date)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	run, err := s.DayRunner.StartWeddingDay(c.Request.Context(), in.Date, valueOr(in.Region, ""), callOf(c).identity.Subject)
	s.reply(c, http.StatusAccepted, run, err)
}

// ExtendWedding lets a wedding of the day last longer.
func (s *server) ExtendWedding(c *gin.Context, date gen.DatePath, p gen.ExtendWeddingParams) {
	in, err := decode[gen.WeddingExtension](c)
	s.commandDay(c, err, models.WeddingDayCommand{
		Action: models.WeddingDayExtend, Date: date, Region: valueOr(p.Region, ""), WeddingID: in.WeddingId, Until: in.Until, Reason: in.Reason,
	})
}

// EndWedding ends a wedding of the day, or all of them.
func (s *server) EndWedding(c *gin.Context, date gen.DatePath, p gen.EndWeddingParams) {
	in, err := decode[gen.WeddingEnd](c)
	s.commandDay(c, err, models.WeddingDayCommand{
		Action: models.WeddingDayEnd, Date: date, Region: valueOr(p.Region, ""), WeddingID: valueOr(in.WeddingId, ""), Reason: in.Reason,
	})
}

// RaiseFloor raises a floor of the day.
func (s *server) RaiseFloor(c *gin.Context, date gen.DatePath, p gen.RaiseFloorParams) {
	in, err := decode[gen.FloorRaise](c)
	s.commandDay(c, err, raiseOf(in, models.WeddingDayCommand{Date: date, Region: valueOr(p.Region, "")}))
}

func raiseOf(in gen.FloorRaise, c models.WeddingDayCommand) models.WeddingDayCommand {
	c.Action, c.Service, c.Replicas, c.Until, c.Reason = models.WeddingDayRaise, valueOr(in.Service, models.ServiceAPI), in.Replicas, in.Until, in.Reason
	return c
}

// ExtendOwnWedding is for the coordinator of a wedding on its day, as the guard has seen.
func (s *server) ExtendOwnWedding(c *gin.Context, id gen.IDPath) {
	in, err := decode[gen.OwnExtension](c)
	s.commandOwn(c, err, id, models.WeddingDayCommand{Action: models.WeddingDayExtend, Until: in.Until, Reason: in.Reason})
}

// RaiseOwnFloor is for the coordinator of a wedding on its day: half more, for half a day.
func (s *server) RaiseOwnFloor(c *gin.Context, id gen.IDPath) {
	in, err := decode[gen.FloorRaise](c)
	s.commandOwn(c, err, id, raiseOf(in, models.WeddingDayCommand{Bounded: true}))
}

// commandOwn finds the day of a wedding that the caller may see.
func (s *server) commandOwn(c *gin.Context, err error, id string, cmd models.WeddingDayCommand) {
	if err == nil {
		var w models.Wedding
		w, err = s.Weddings.Wedding(c.Request.Context(), id)
		cmd.Date, cmd.WeddingID = w.WeddingDate, w.ID
	}
	s.commandDay(c, err, cmd)
}

// commandDay carries a command to the day, which alone knows what it may take.
func (s *server) commandDay(c *gin.Context, err error, cmd models.WeddingDayCommand) {
	if err == nil {
		err = checkDate(cmd.Date)
	}
	var answer models.WeddingDayAnswer
	if err == nil {
		k := callOf(c)
		cmd.Actor, cmd.RequestID = k.identity.Subject, k.identity.Subject+"/"+k.requestID
		answer, err = s.DayRunner.CommandWeddingDay(c.Request.Context(), cmd)
	}
	s.reply(c, http.StatusOK, answer, err)
}

// CancelWeddingDay ends the workflow of a date.
func (s *server) CancelWeddingDay(c *gin.Context, date gen.DatePath, p gen.CancelWeddingDayParams) {
	in, err := decode[gen.WorkflowCancel](c)
	if err == nil {
		err = checkDate(date)
	}
	if err == nil {
		err = s.DayRunner.CancelWeddingDay(c.Request.Context(), date, valueOr(p.Region, ""), callOf(c).identity.Subject, in.Reason)
	}
	id := "wedding-day/" + date
	if region := valueOr(p.Region, ""); region != "" {
		id += "/" + region
	}
	s.reply(c, http.StatusAccepted, gen.WorkflowReceipt{WorkflowId: id, Text: "The day was asked to stop; what it reserved is released."}, err)
}
