package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/models"
)

func TestWithoutAScopeNothingIsDone(t *testing.T) {
	_, appURL := guarded(t)
	s := open(t, appURL)
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"Services":               func() error { _, err := s.Services(ctx); return err },
		"Service":                func() error { _, err := s.Service(ctx, models.ServiceAPI); return err },
		"UpdateService":          func() error { _, err := s.UpdateService(ctx, aService()); return err },
		"SeedServices":           func() error { _, err := s.SeedServices(ctx, models.DefaultServices("fleet")); return err },
		"Weddings":               func() error { _, err := s.Weddings(ctx, models.WeddingFilter{}); return err },
		"CreateWedding":          func() error { _, err := s.CreateWedding(ctx, aWedding("x", "")); return err },
		"ActiveReservations":     func() error { _, err := s.ActiveReservations(ctx, models.ServiceAPI, noon); return err },
		"Reservations":           func() error { _, err := s.Reservations(ctx, "", nil); return err },
		"CreateReservation":      func() error { return s.CreateReservation(ctx, aReservation("x")) },
		"Decisions":              func() error { _, err := s.Decisions(ctx, models.DecisionFilter{}); return err },
		"OpenRequests":           func() error { _, err := s.OpenRequests(ctx, models.ServiceAPI); return err },
		"RecordDecision":         func() error { return s.RecordDecision(ctx, aDecision("x", models.DecisionExecuting)) },
		"SaveRollups":            func() error { return s.SaveRollups(ctx, []models.MetricRollup{rollup(noon, 1, 1)}) },
		"MinuteLoad":             func() error { _, err := s.MinuteLoad(ctx, models.ServiceAPI, noon, noon); return err },
		"ScalingStates":          func() error { _, err := s.ScalingStates(ctx); return err },
		"Grants":                 func() error { _, err := s.Grants(ctx, "user:anna", noon); return err },
		"GrantRole":              func() error { return s.GrantRole(ctx, bind("user:x", models.RoleAdmin)) },
		"EnsurePartitions":       func() error { _, err := s.EnsurePartitions(ctx, noon, 1); return err },
		"DatabaseStatus":         func() error { _, err := s.DatabaseStatus(ctx); return err },
		"a scope without a role": func() error { _, err := s.As(models.Scope{Subject: "user:anna"}).Services(ctx); return err },
	} {
		t.Run(name, func(t *testing.T) { assertError(t, call(), models.KindForbidden, "scope") })
	}
	require.NoError(t, s.Check(ctx), "the probe brings its own")
}

func TestTheScopeOfTheContextComesFirst(t *testing.T) {
	_, appURL := guarded(t)
	s := open(t, appURL).As(system)
	carla := models.WithScope(t.Context(), models.Scope{Role: models.ScopeCoordinator, Subject: "user:carla"})
	own, err := s.Weddings(carla, models.WeddingFilter{})
	require.NoError(t, err)
	require.Len(t, own, 1)
	assert.Equal(t, "w1", own[0].ID)
	all, err := s.Weddings(t.Context(), models.WeddingFilter{})
	require.NoError(t, err)
	assert.Len(t, all, 3)

	_, err = s.Wedding(carla, "w2")
	assertError(t, err, models.KindNotFound, "id")
	_, err = s.Reservation(carla, "r-w2")
	assertError(t, err, models.KindNotFound, "id")
	_, err = s.EndReservation(carla, "r-w2", "user:carla", noon)
	assertError(t, err, models.KindNotFound, "id")
	_, err = s.EndReservation(carla, "r-w1", "user:carla", noon)
	require.NoError(t, err)
	_, err = s.UpdateWedding(carla, own[0])
	assertError(t, err, models.KindForbidden, "")
	_, err = s.UpdateService(carla, aService())
	assertError(t, err, models.KindForbidden, "")
	r := aReservation("new")
	r.WeddingID = "w2"
	assertError(t, s.CreateReservation(carla, r), models.KindForbidden, "")
	r.WeddingID = "w1"
	require.NoError(t, s.CreateReservation(carla, r))
	assertError(t, s.CloseDecision(carla, verified("d1")), models.KindForbidden, "")

	anna := models.WithScope(t.Context(), models.Scope{Role: models.ScopeAdmin, Subject: "user:anna"})
	assertError(t, s.GrantRole(anna, bind("user:anna", models.RoleOperator)), models.KindForbidden, "")
	assertError(t, s.RevokeRole(anna, "user:anna", models.RoleAdmin, noon.Add(time.Hour)), models.KindForbidden, "")
	require.NoError(t, s.GrantRole(anna, bind("user:new", models.RoleViewer)))
	require.NoError(t, s.RevokeRole(anna, "user:new", models.RoleViewer, noon.Add(time.Hour)))
	olga := models.WithScope(t.Context(), models.Scope{Role: models.ScopeOperator, Subject: "user:olga"})
	d := aDecision("d-new", models.DecisionProposed)
	d.ReservationID = "r-new"
	require.NoError(t, s.RequestScale(olga, aReservation("r-new"), d))
	vera := models.WithScope(t.Context(), models.Scope{Role: models.ScopeViewer, Subject: "user:vera"})
	d.ReservationID = "r-vera"
	assertError(t, s.RequestScale(vera, aReservation("r-vera"), d), models.KindForbidden, "")
	_, err = s.EndReservation(vera, "r-plain", "user:vera", noon)
	assertError(t, err, models.KindForbidden, "id")
	g, err := s.Grants(models.WithScope(t.Context(), models.Scope{Role: models.ScopeCoordinator, Subject: "user:carla"}), "user:carla", noon)
	require.NoError(t, err)
	assert.Equal(t, []models.Role{models.RoleCoordinator}, g.Roles, "everybody sees the own roles")
}

// Sixty-four callers with scopes of their own share four connections, some give up half
// way and some fail: nobody ever meets another's scope, also not who comes after.
func TestConnectionsOfThePoolNeverLeakAScope(t *testing.T) {
	_, appURL := database(t)
	s, err := Open(t.Context(), Options{URL: appURL, MaxConnections: 4})
	require.NoError(t, err)
	defer s.Close()
	const callers = 64
	for i := range callers {
		w := aWedding(fmt.Sprintf("ref-%d", i), fmt.Sprintf("user:c%d", i))
		_, err := s.As(system).CreateWedding(t.Context(), w)
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			subject := fmt.Sprintf("user:c%d", i)
			ctx := models.WithScope(context.Background(), models.Scope{Role: models.ScopeCoordinator, Subject: subject})
			for round := range 10 {
				switch (i + round) % 4 {
				case 0:
					short, cancel := context.WithTimeout(ctx, time.Duration(round)*time.Millisecond)
					_, _ = s.Weddings(short, models.WeddingFilter{})
					cancel()
				case 1:
					_, err := s.CreateWedding(ctx, aWedding("x", subject))
					assert.Equal(t, models.KindForbidden, models.KindOf(err))
				}
				own, err := s.Weddings(ctx, models.WeddingFilter{})
				if assert.NoError(t, err) && assert.Len(t, own, 1) {
					assert.Equal(t, subject, own[0].Coordinator)
				}
				var left string
				err = s.pool.QueryRow("SELECT coalesce(current_setting('wedsync.role', true), '') || coalesce(current_setting('wedsync.subject', true), '')").Scan(&left)
				if assert.NoError(t, err) {
					assert.Empty(t, left, "the scope ends with its transaction")
				}
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, s.pool.Stats().OpenConnections, 4)
	assert.Eventually(t, func() bool { return s.pool.Stats().InUse == 0 }, 10*time.Second, 10*time.Millisecond, "every connection came back")
}

func TestGORMRefusesStatementsWithoutAScope(t *testing.T) {
	_, appURL := guarded(t)
	s := open(t, appURL)
	for name, do := range map[string]func(db *gorm.DB) error{
		"query":  func(db *gorm.DB) error { return db.Find(&[]models.Service{}).Error },
		"count":  func(db *gorm.DB) error { var n int64; return db.Model(&models.Service{}).Count(&n).Error },
		"create": func(db *gorm.DB) error { d := aDecision("x", models.DecisionExecuting); return db.Create(&d).Error },
		"update": func(db *gorm.DB) error {
			return db.Model(&models.Service{}).Where("zones = 1").Update("zones", 2).Error
		},
		"delete": func(db *gorm.DB) error { return db.Where("zones = 1").Delete(&models.Service{}).Error },
		"row":    func(db *gorm.DB) error { var n int; return db.Raw("SELECT 1").Row().Scan(&n) },
		"rows":   func(db *gorm.DB) error { _, err := db.Raw("SELECT 1").Rows(); return err }, //nolint:sqlclosecheck,rowserrcheck // there are none
		"raw":    func(db *gorm.DB) error { return db.Exec("SELECT 1").Error },
		"in a transaction of its own": func(db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error { return tx.Find(&[]models.Service{}).Error })
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				// Row has no place for an error: it gives a nil row.
				if r := recover(); r != nil {
					assert.Equal(t, "row", name)
				}
			}()
			require.ErrorIs(t, do(s.db.WithContext(t.Context())), errUnscoped)
		})
	}
}

func TestAFailedOrAbandonedWriteLeavesNothing(t *testing.T) {
	s := fresh(t)
	boom := errors.New("boom")
	err := s.write(t.Context(), "store.Test", func(tx *gorm.DB) error {
		r := aReservation("r")
		require.NoError(t, tx.Create(&r).Error)
		return boom
	})
	require.ErrorIs(t, err, boom)
	assert.Equal(t, models.KindInternal, models.KindOf(err))
	assert.Panics(t, func() {
		_ = s.write(t.Context(), "store.Test", func(tx *gorm.DB) error {
			r := aReservation("r")
			require.NoError(t, tx.Create(&r).Error)
			panic("boom")
		})
	})
	_, err = s.Reservation(t.Context(), "r")
	assertError(t, err, models.KindNotFound, "id")
	err = s.read(t.Context(), "store.Test", func(tx *gorm.DB) error { r := aReservation("r"); return tx.Create(&r).Error })
	require.Error(t, err, "a read changes nothing")
	assert.Zero(t, s.pool.Stats().InUse)
}

func TestWhatTakesTooLongIsUnavailable(t *testing.T) {
	_, appURL := database(t)
	s, err := Open(t.Context(), Options{URL: appURL, MaxConnections: 1, ConnectionTimeout: 200 * time.Millisecond, QueryTimeout: 300 * time.Millisecond})
	require.NoError(t, err)
	defer s.Close()
	s = s.As(system)
	sleep := func(tx *gorm.DB) error { _, err := exec(tx, "SELECT pg_sleep(30)"); return err }
	assertError(t, s.read(t.Context(), "store.Test", sleep), models.KindUnavailable, "")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Services(ctx)
	assertError(t, err, models.KindUnavailable, "")
	require.ErrorIs(t, err, context.Canceled)

	conn, err := s.pool.Conn(t.Context()) // the only one
	require.NoError(t, err)
	_, err = s.Services(t.Context())
	assertError(t, err, models.KindUnavailable, "")
	require.NoError(t, conn.Close())
	_, err = s.Services(t.Context())
	require.NoError(t, err)
}

func TestAMissingSchemaIsUnavailableUntilItIsThere(t *testing.T) {
	ownerURL, appURL := devstacktest.Postgres(t)
	s := open(t, appURL).As(system)
	err := s.Check(t.Context())
	assertError(t, err, models.KindUnavailable, "")
	require.ErrorContains(t, err, "wedsync migrate")
	require.NoError(t, Migrate(t.Context(), ownerURL, devstack.AppRole, nil))
	require.NoError(t, s.Check(t.Context()))
}
