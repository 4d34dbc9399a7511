package audit

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
)

// BenchmarkAudit compares groups with one transaction for each row: the same chained
// stream, connection and statement, 256 callers, and a Postgres that syncs to disk.
func BenchmarkAudit(b *testing.B) {
	d := durable(b)
	for _, c := range []struct {
		name  string
		batch int
	}{{"group", maxBatch}, {"row", 1}} {
		b.Run(c.name, func(b *testing.B) {
			w := d.writer(b, Options{})
			w.maxBatch = c.batch
			b.SetParallelism(256 / runtime.GOMAXPROCS(0))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				e := entry("")
				for pb.Next() {
					e.At = time.Now()
					if err := w.Record(b.Context(), e); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}

// BenchmarkAuditedRequest times requests over HTTP that are answered after their entry is
// committed, from 32 callers.
func BenchmarkAuditedRequest(b *testing.B) {
	w := durable(b).writer(b, Options{})
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		e := entry("")
		e.At = time.Now()
		if err := w.Record(r.Context(), e); err != nil {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		rw.WriteHeader(http.StatusNoContent)
	}))
	b.Cleanup(srv.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var mu sync.Mutex
	var took []time.Duration
	b.SetParallelism(32 / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var own []time.Duration
		for pb.Next() {
			began := time.Now()
			res, err := client.Get(srv.URL)
			if err != nil || res.StatusCode != http.StatusNoContent {
				b.Error(err, res)
				return
			}
			_ = res.Body.Close()
			own = append(own, time.Since(began))
		}
		mu.Lock()
		defer mu.Unlock()
		took = append(took, own...)
	})
	b.StopTimer()
	if len(took) > 0 {
		slices.Sort(took)
		b.ReportMetric(float64(took[(len(took)-1)*99/100].Microseconds())/1000, "p99-ms")
	}
}

// durable is a migrated database on a server of its own that syncs to disk.
func durable(b *testing.B) database {
	b.Helper()
	pg, err := devstack.StartPostgres(b.Context(), devstack.PostgresOptions{Dir: devstacktest.Dir(b)})
	require.NoError(b, err)
	b.Cleanup(pg.Kill)
	d := database{pg.OwnerURL(), pg.AppURL()}
	d.migrate(b)
	return d
}
