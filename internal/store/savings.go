package store

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/wedsync/scalability/models"
)

// evaluationReach is how long an evaluation speaks for, at most: the longest time between
// two that can be configured. What comes after it is missing.
const evaluationReach = 5 * time.Minute

// spendingSQL adds up, for each service of the catalogue, the time between evaluations at
// the spec and the price that the earlier one of two found.
const spendingSQL = `
	WITH ticks AS (
		SELECT service, at, spec, cost_per_replica_hour AS price, lead(at) OVER (PARTITION BY service ORDER BY at) AS next
		FROM scaling_evaluations WHERE at > @from AND at < @until
	), spans AS (
		SELECT service, spec, price, extract(epoch FROM
			least(next, at + CAST(@reach AS interval), CAST(@until AS timestamptz)) - greatest(at, CAST(@since AS timestamptz)))::float8 / 3600 AS hours
		FROM ticks WHERE spec IS NOT NULL
	), used AS (
		SELECT service, count(*) AS evaluations, max(spec) AS peak_replicas, sum(hours) AS covered_hours,
			sum(spec * hours) AS replica_hours, sum(spec * hours * price) AS cost, sum(hours * price) AS price_hours
		FROM spans WHERE hours > 0 GROUP BY service
	)
	SELECT s.name AS service, coalesce(u.evaluations, 0) AS evaluations, coalesce(u.peak_replicas, 0) AS peak_replicas,
		coalesce(u.covered_hours, 0) AS covered_hours, coalesce(u.replica_hours, 0) AS replica_hours,
		coalesce(u.peak_replicas * u.covered_hours, 0) AS static_replica_hours,
		coalesce(u.cost, 0) AS cost, coalesce(u.peak_replicas * u.price_hours, 0) AS static_cost
	FROM services s LEFT JOIN used u ON u.service = s.name`

// Savings compares what was provisioned in [since, until) with holding the largest spec of
// each service all the time. Time without evaluations, or in which the replicas could not
// be read, counts for neither.
func (s *Store) Savings(ctx context.Context, since, until time.Time) (models.Savings, error) {
	const op = "store.Savings"
	if !until.After(since) {
		return models.Savings{}, classify(op, models.Invalid("until", until.Format(time.RFC3339), "must be after since"))
	}
	out := models.Savings{Since: since, Until: until, Services: []models.ServiceSavings{}}
	err := s.read(ctx, op, func(tx *gorm.DB) error {
		return tx.Raw(spendingSQL, map[string]any{
			"from": since.Add(-evaluationReach), "since": since, "until": until, "reach": evaluationReach.String(),
		}).Scan(&out.Services).Error
	})
	if err != nil {
		return models.Savings{}, err
	}
	slices.SortFunc(out.Services, func(a, b models.ServiceSavings) int { return byService(a.Service, b.Service) })
	hours := until.Sub(since).Hours()
	for i := range out.Services {
		p := &out.Services[i].Spending
		p.CoveredShare = min(p.CoveredHours/hours, 1)
		*p = p.Compare()
		out.Total = out.Total.Plus(*p)
	}
	if n := len(out.Services); n > 0 {
		out.Total.CoveredShare /= float64(n)
	}
	out.Total = out.Total.Compare()
	return out, nil
}

// spentSQL adds up what a service has cost since two times, as spendingSQL does for all.
const spentSQL = `
	WITH ticks AS (
		SELECT at, spec * cost_per_replica_hour AS rate, lead(at) OVER (ORDER BY at) AS next
		FROM scaling_evaluations WHERE service = @service AND at > @from AND at < @until
	), spans AS (
		SELECT rate, at, least(next, at + CAST(@reach AS interval), CAST(@until AS timestamptz)) AS ends
		FROM ticks WHERE rate IS NOT NULL
	)
	SELECT coalesce(sum(rate * greatest(0, extract(epoch FROM ends - greatest(at, CAST(@day AS timestamptz)))::float8)) / 3600, 0) AS day,
		coalesce(sum(rate * greatest(0, extract(epoch FROM ends - greatest(at, CAST(@month AS timestamptz)))::float8)) / 3600, 0) AS month
	FROM spans`

// Spent is what a service has cost since the day and the month (UTC) began, by its
// evaluations. Time without one counts for nothing.
func (s *Store) Spent(ctx context.Context, service models.ServiceName, now time.Time) (models.Budget, error) {
	now = now.UTC()
	day := now.Truncate(24 * time.Hour)
	month := day.AddDate(0, 0, 1-day.Day())
	var spent struct{ Day, Month float64 }
	err := s.read(ctx, "store.Spent", func(tx *gorm.DB) error {
		return tx.Raw(spentSQL, map[string]any{
			"service": service, "from": month.Add(-evaluationReach), "until": now, "reach": evaluationReach.String(), "day": day, "month": month,
		}).Scan(&spent).Error
	})
	if err != nil {
		return models.Budget{}, err
	}
	return models.Budget{SpentDay: spent.Day, SpentMonth: spent.Month}, nil
}
