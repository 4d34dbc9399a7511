package hotstore

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wedsync/scalability/models"
)

const (
	historySeconds  = 300 // how far Signals looks back
	secondsLifetime = 360 * time.Second
	minuteSeconds   = 60
)

// SaveSeconds keeps one-second cells of one source (an ingest process) in one round trip,
// all or none. A cell of the same source, service, metric and second replaces the one
// before, so a source may send a second again while it is still filling; cells of
// different sources stand side by side until Signals merges them. Empty cells and sums
// that are no number are left out: they are missing.
func (s *Store) SaveSeconds(ctx context.Context, source string, cells []models.Cell) error {
	fields := map[string][]any{}
	for _, c := range cells {
		if c.Count <= 0 || math.IsNaN(c.Sum) || math.IsInf(c.Sum, 0) {
			continue
		}
		second := c.Start.Unix()
		key := secondsKey(c.Service, second/minuteSeconds)
		fields[key] = append(fields[key], secondField(second, c.Metric, source), secondValue(c.Count, c.Sum))
	}
	if len(fields) == 0 {
		return nil
	}
	_, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for key, pairs := range fields {
			p.HSet(ctx, key, pairs...)
			p.Expire(ctx, key, secondsLifetime)
		}
		return nil
	})
	return failed("hotstore.SaveSeconds", err)
}

// Signals summarises the last 300 seconds of a service in one round trip, in the order
// of models.MetricNames; a metric without a sample in that time is absent.
func (s *Store) Signals(ctx context.Context, service models.ServiceName, now time.Time) ([]models.Signal, error) {
	last := now.Unix()
	var minutes []*redis.MapStringStringCmd
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for m := (last - historySeconds) / minuteSeconds; m <= last/minuteSeconds; m++ {
			minutes = append(minutes, p.HGetAll(ctx, secondsKey(service, m)))
		}
		return nil
	})
	if err != nil {
		return nil, failed("hotstore.Signals", err)
	}
	all := map[models.MetricName]*series{}
	for _, m := range minutes {
		for field, value := range m.Val() {
			second, metric, ok := parseSecondField(field)
			count, sum, valid := parseSecondValue(value)
			age := last - second
			if !ok || !valid || age < 0 || age > historySeconds {
				continue
			}
			if all[metric] == nil {
				all[metric] = &series{}
			}
			all[metric].add(int(age), count, sum)
		}
	}
	var out []models.Signal
	for _, m := range models.MetricNames() {
		if series := all[m]; series != nil {
			out = append(out, series.signal(m, now))
		}
	}
	return out, nil
}

func secondsKey(service models.ServiceName, minute int64) string {
	return fmt.Sprintf("metrics:{%s}:seconds:%d", service, minute)
}

// secondField ends with the source, the only part that may hold any character.
func secondField(second int64, metric models.MetricName, source string) string {
	return strconv.FormatInt(second, 10) + "|" + string(metric) + "|" + source
}

func parseSecondField(field string) (second int64, metric models.MetricName, ok bool) {
	parts := strings.SplitN(field, "|", 3)
	if len(parts) != 3 {
		return 0, "", false
	}
	second, err := strconv.ParseInt(parts[0], 10, 64)
	return second, models.MetricName(parts[1]), err == nil
}

func secondValue(count int64, sum float64) string {
	return strconv.FormatInt(count, 10) + " " + strconv.FormatFloat(sum, 'g', -1, 64)
}

func parseSecondValue(value string) (count int64, sum float64, ok bool) {
	first, rest, _ := strings.Cut(value, " ")
	count, err := strconv.ParseInt(first, 10, 64)
	if err != nil || count <= 0 {
		return 0, 0, false
	}
	sum, err = strconv.ParseFloat(rest, 64)
	return count, sum, err == nil && !math.IsNaN(sum) && !math.IsInf(sum, 0)
}
