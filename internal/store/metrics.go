package store

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// SaveRollups keeps closed windows with one statement. A window may come again, say after
// an answer was lost: means over hours do not notice it.
func (s *Store) SaveRollups(ctx context.Context, rollups []models.MetricRollup) error {
	const op = "store.SaveRollups"
	if len(rollups) == 0 {
		return nil
	}
	c, err := columnsOf(rollups)
	if err != nil {
		return classify(op, err)
	}
	return s.write(ctx, op, func(tx *gorm.DB) error {
		_, err := exec(tx, `
			INSERT INTO scalability_metrics ("timestamp", service, metric, window_seconds, sample_count, sum, min, max, last, source)
			SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::integer[], $5::bigint[],
				$6::float8[], $7::float8[], $8::float8[], $9::float8[], $10::text[])`,
			c.at, c.service, c.metric, c.window, c.count, c.sum, c.min, c.max, c.last, c.source)
		return err
	})
}

// rollupColumns are rollups turned on their side.
type rollupColumns struct {
	at                      []time.Time
	service, metric, source []string
	window                  []int64
	count                   []int64
	sum, min, max, last     []float64
}

func columnsOf(rollups []models.MetricRollup) (rollupColumns, error) {
	var c rollupColumns
	for i, r := range rollups {
		if err := checkText(r); err != nil {
			return c, err
		}
		// One sum that is no number would make the mean of its hour none.
		for _, v := range []float64{r.Sum, r.Min, r.Max, r.Last} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return c, models.Invalid(fmt.Sprintf("rollups[%d]", i), v, "must have finite numbers")
			}
		}
		c.at = append(c.at, r.Timestamp)
		c.service = append(c.service, string(r.Service))
		c.metric = append(c.metric, string(r.Metric))
		c.window = append(c.window, int64(r.WindowSecs))
		c.count = append(c.count, r.SampleCount)
		c.sum = append(c.sum, r.Sum)
		c.min = append(c.min, r.Min)
		c.max = append(c.max, r.Max)
		c.last = append(c.last, r.Last)
		c.source = append(c.source, r.Source)
	}
	return c, nil
}

// HourlyLoad is the mean throughput of each hour (UTC) of [from, until) that has samples,
// weighted by their number, earliest first. Hours that were rolled come from there, the
// newest of them and those after it from the rollups of seconds.
func (s *Store) HourlyLoad(ctx context.Context, service models.ServiceName, from, until time.Time) ([]models.HourlyLoad, error) {
	hours := []models.HourlyLoad{}
	err := s.read(ctx, "store.HourlyLoad", func(tx *gorm.DB) error {
		var newest time.Time
		if err := tx.Raw("SELECT coalesce(max(hour), 'epoch') FROM hourly_loads WHERE service = ? AND source = ?", service, measuredHere).Scan(&newest).Error; err != nil {
			return err
		}
		if newest.Before(from) {
			newest = from
		}
		// The metric is a constant of the text, so that its partial index fits.
		return tx.Raw(`
			WITH fresh AS (
				SELECT date_trunc('hour', "timestamp", 'UTC') AS hour, sum(sum) / sum(sample_count) AS mean_rps, sum(sample_count)::bigint AS samples
				FROM scalability_metrics
				WHERE metric = 'throughput' AND service = @service AND "timestamp" >= @newest AND "timestamp" < @until AND sample_count > 0
				GROUP BY 1)
			SELECT * FROM fresh
			UNION ALL
			SELECT hour, mean_rps, samples FROM hourly_loads
			WHERE service = @service AND hour >= @from AND hour < @until AND hour NOT IN (SELECT hour FROM fresh)
			ORDER BY hour`,
			map[string]any{"service": service, "newest": newest, "from": from, "until": until}).Scan(&hours).Error
	})
	if err != nil {
		return nil, err
	}
	return hours, nil
}

// measuredHere is the source of hours that this platform measured. Nothing that is loaded
// from elsewhere replaces them.
const measuredHere = "metrics"

// rollAgain is how far back hours are rolled again, since samples may come late.
const rollAgain = 48 * time.Hour

// RollHours keeps the load of each hour that is over, and gives how many are new or changed.
func (s *Store) RollHours(ctx context.Context, now time.Time) (int, error) {
	var n int64
	err := s.write(ctx, "store.RollHours", func(tx *gorm.DB) error {
		var rolled time.Time
		err := tx.Raw("SELECT coalesce(max(hour), 'epoch') FROM hourly_loads WHERE source = ?", measuredHere).Scan(&rolled).Error
		if err != nil {
			return err
		}
		n, err = exec(tx, `
			INSERT INTO hourly_loads (service, hour, mean_rps, samples, source)
			SELECT service, date_trunc('hour', "timestamp", 'UTC'), sum(sum) / sum(sample_count), sum(sample_count)::bigint, $1
			FROM scalability_metrics
			WHERE metric = 'throughput' AND "timestamp" >= $2 AND "timestamp" < date_trunc('hour', $3::timestamptz, 'UTC') AND sample_count > 0
			GROUP BY 1, 2 HAVING sum(sum) >= 0
			ON CONFLICT (service, hour) DO UPDATE SET mean_rps = excluded.mean_rps, samples = excluded.samples, source = excluded.source
			WHERE hourly_loads.source <> excluded.source OR hourly_loads.samples < excluded.samples`, measuredHere, rolled.Add(-rollAgain), now)
		return err
	})
	return int(n), err
}

// LoadHours keeps hours that were measured elsewhere; those that were measured here stay as
// they are, and the same hours again change nothing. It gives how many are new or changed.
func (s *Store) LoadHours(ctx context.Context, service models.ServiceName, source string, hours []models.HourlyLoad) (int, error) {
	const op = "store.LoadHours"
	if source == "" || source == measuredHere {
		return 0, classify(op, models.Invalid("source", source, "must say where the hours come from, and not be "+measuredHere))
	}
	var n int64
	err := s.changed(ctx, op, func(tx *gorm.DB) (changed, error) {
		var at []time.Time
		var mean []float64
		var samples []int64
		for _, h := range hours {
			at, mean, samples = append(at, h.Hour.UTC().Truncate(time.Hour)), append(mean, h.MeanRPS), append(samples, max(h.Samples, 1))
		}
		var err error
		n, err = exec(tx, `
			INSERT INTO hourly_loads (service, hour, mean_rps, samples, source)
			SELECT $1, h.hour, h.mean_rps, h.samples, $2 FROM unnest($3::timestamptz[], $4::float8[], $5::bigint[]) AS h (hour, mean_rps, samples)
			ON CONFLICT (service, hour) DO UPDATE SET mean_rps = excluded.mean_rps, samples = excluded.samples, source = excluded.source
			WHERE hourly_loads.source <> $6 AND (hourly_loads.mean_rps, hourly_loads.samples, hourly_loads.source) IS DISTINCT FROM (excluded.mean_rps, excluded.samples, excluded.source)`,
			string(service), source, at, mean, samples, measuredHere)
		if err != nil || n == 0 {
			return changed{}, err
		}
		return changed{object: "service/" + string(service) + "/hours", context: map[string]string{
			"source": source, "hours": strconv.FormatInt(n, 10), "from": at[0].Format(time.RFC3339), "until": at[len(at)-1].Format(time.RFC3339),
		}}, nil
	})
	return int(n), err
}

// SaveForecasts keeps forecasts; one of the same hour and lead that is kept already stays
// as it is. It gives how many are new, and deletes those past retention.
func (s *Store) SaveForecasts(ctx context.Context, forecasts []models.LoadForecast) (int, error) {
	var n int64
	err := s.write(ctx, "store.SaveForecasts", func(tx *gorm.DB) error {
		if len(forecasts) > 0 {
			res := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(forecasts, batchRows)
			if res.Error != nil {
				return res.Error
			}
			n = res.RowsAffected
		}
		for _, statement := range []string{
			"DELETE FROM load_forecasts WHERE target_at < now() - interval '120 days'",
			"DELETE FROM hourly_loads WHERE hour < now() - interval '1100 days'",
		} {
			if _, err := exec(tx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	return int(n), err
}

// ScoreForecasts writes what came beside the forecasts of the hours that are over, and
// gives how many.
func (s *Store) ScoreForecasts(ctx context.Context, now time.Time) (int, error) {
	var n int64
	err := s.write(ctx, "store.ScoreForecasts", func(tx *gorm.DB) error {
		var err error
		n, err = exec(tx, `
			UPDATE load_forecasts f SET actual = h.mean_rps FROM hourly_loads h
			WHERE f.actual IS NULL AND f.target_at < date_trunc('hour', $1::timestamptz, 'UTC') AND h.service = f.service AND h.hour = f.target_at`, now)
		return err
	})
	return int(n), err
}

// Forecasts are those of the hours of [from, until) that were scored, by lead and hour; a
// lead of 0 is all of them.
func (s *Store) Forecasts(ctx context.Context, service models.ServiceName, lead int, from, until time.Time) ([]models.LoadForecast, error) {
	found := []models.LoadForecast{}
	err := s.read(ctx, "store.Forecasts", func(tx *gorm.DB) error {
		q := tx.Where("service = ? AND target_at >= ? AND target_at < ? AND actual IS NOT NULL", service, from, until)
		if lead > 0 {
			q = q.Where("lead_hours = ?", lead)
		}
		return q.Order("lead_hours, target_at").Find(&found).Error
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// How far back the copy at rest of a service's metrics reaches, and what a week has to
// hold before its largest minute says what is impossible.
const (
	restSpan      = 5 * time.Minute
	restMinute    = time.Minute
	fewestMinutes = 24 * 60
)

// window is a ten-second rollup of one metric, of all sources together.
type window struct {
	Metric    models.MetricName
	At        time.Time // start
	Seconds   int
	Mean, Max float64
}

// SignalsAtRest summarises the rollups of the last five minutes of a service, for when the
// hot store cannot be read. Means are over the windows of the minute, or of the five, that
// end with the newest window: how old that is, the signal's age says.
func (s *Store) SignalsAtRest(ctx context.Context, service models.ServiceName, now time.Time) ([]models.Signal, error) {
	var rows []window
	err := s.read(ctx, "store.SignalsAtRest", func(tx *gorm.DB) error {
		return tx.Raw(`
			SELECT metric, "timestamp" AS at, max(window_seconds) AS seconds, sum(sum) / sum(sample_count) AS mean, max(max) AS max
			FROM scalability_metrics
			WHERE service = ? AND "timestamp" > ? AND "timestamp" <= ? AND sample_count > 0
			GROUP BY metric, "timestamp" ORDER BY "timestamp" DESC`, service, now.Add(-restSpan), now).Scan(&rows).Error
	})
	if err != nil {
		return nil, err
	}
	of := map[models.MetricName][]window{}
	for _, r := range rows {
		of[r.Metric] = append(of[r.Metric], r)
	}
	signals := []models.Signal{}
	for _, m := range models.MetricNames() {
		if ws := of[m]; len(ws) > 0 {
			signals = append(signals, atRest(m, ws, now))
		}
	}
	return signals, nil
}

// atRest makes the signal of one metric from its windows, newest first.
func atRest(m models.MetricName, ws []window, now time.Time) models.Signal {
	end := func(w window) time.Time { return w.At.Add(time.Duration(w.Seconds) * time.Second) }
	newest := end(ws[0])
	s := models.Signal{Metric: m, Snapshot: true, AgeSeconds: math.Max(0, now.Sub(newest).Seconds())}
	minute, covered, all, most := 0.0, 0, 0.0, 0.0
	n := 0
	for _, w := range ws {
		all += w.Mean
		if newest.Sub(end(w)) >= restMinute {
			continue
		}
		minute, covered, n = minute+w.Mean, covered+w.Seconds, n+1
		most = math.Max(most, w.Max)
		if n <= 5 {
			s.Recent = append([]float64{w.Mean}, s.Recent...)
		}
	}
	minute, all = minute/float64(n), all/float64(len(ws))
	s.Avg60, s.Avg300, s.Max60 = &minute, &all, &most
	s.Completeness = math.Min(1, float64(covered)/restMinute.Seconds())
	return s
}

// LargestMinute is the largest mean of a minute of throughput in the seven days before
// now; nil where they hold less than a day of minutes.
func (s *Store) LargestMinute(ctx context.Context, service models.ServiceName, now time.Time) (*float64, error) {
	var found struct {
		N    int
		Most float64
	}
	err := s.read(ctx, "store.LargestMinute", func(tx *gorm.DB) error {
		return tx.Raw(`
			SELECT count(*) AS n, coalesce(max(mean), 0) AS most FROM (
				SELECT sum(sum) / sum(sample_count) AS mean FROM scalability_metrics
				WHERE metric = 'throughput' AND service = ? AND "timestamp" >= ? AND "timestamp" < ? AND sample_count > 0
				GROUP BY date_trunc('minute', "timestamp", 'UTC')) AS minutes`, service, now.Add(-7*24*time.Hour), now).Scan(&found).Error
	})
	if err != nil || found.N < fewestMinutes {
		return nil, err
	}
	return &found.Most, nil
}

// EnsurePartitions makes the partitions that are missing from the day before now to
// daysAhead days after it, and the months that hold them.
func (s *Store) EnsurePartitions(ctx context.Context, now time.Time, daysAhead int) ([]string, error) {
	return s.partitions(ctx, "store.EnsurePartitions", "SELECT wedsync_ensure_partitions(?, ?)", now, daysAhead)
}

// DropPartitions drops the partitions that lie wholly before the retention, and deletes
// what else is older. It never drops what is young by the clock of the database.
func (s *Store) DropPartitions(ctx context.Context, now time.Time, metricsDays, auditDays int) ([]string, error) {
	return s.partitions(ctx, "store.DropPartitions", "SELECT wedsync_drop_partitions(?, ?, ?)", now, metricsDays, auditDays)
}

func (s *Store) partitions(ctx context.Context, op, call string, args ...any) ([]string, error) {
	names := []string{}
	err := s.changed(ctx, op, func(tx *gorm.DB) (changed, error) {
		if err := tx.Raw(call, args...).Scan(&names).Error; err != nil || len(names) == 0 {
			return changed{}, err
		}
		return changed{object: "partitions", context: named("partitions", names)}, nil
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}
