package audit

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
)

// BenchmarkAudit compares groups with one transaction for each row, on the same
// connections, with 256 callers and a Postgres that syncs to disk.
func BenchmarkAudit(b *testing.B) {
	pg, err := devstack.StartPostgres(b.Context(), devstack.PostgresOptions{Dir: devstacktest.Dir(b)})
	require.NoError(b, err)
	b.Cleanup(pg.Kill)
	d := database{pg.OwnerURL(), pg.AppURL()}
	d.exec(b, tableSQL)
	for _, c := range []struct {
		name  string
		batch int
	}{{"group", maxBatch}, {"row", 1}} {
		b.Run(c.name, func(b *testing.B) {
			w := d.writer(b, Options{})
			w.maxBatch = c.batch
			e := entry("")
			b.SetParallelism(128)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := w.Record(b.Context(), e); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
