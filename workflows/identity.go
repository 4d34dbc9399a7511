package workflows

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"go.temporal.io/sdk/workflow"
)

// decisionID is a version 7 UUID (RFC 9562): milliseconds, then bits that are a hash of
// the service, the first run of its autoscaler and the iteration. The same evaluation has
// the same ID on replay and on either side of a continue-as-new; no two share one.
func (a *autoscale) decisionID(ctx workflow.Context) string {
	info := workflow.GetInfo(ctx)
	first := info.FirstRunID
	if first == "" {
		first = info.WorkflowExecution.RunID // only in the test environment
	}
	return uuidV7(workflow.Now(ctx), string(a.in.Service)+"\x00"+first, a.state.Iteration)
}

func uuidV7(at time.Time, seed string, n int64) string {
	in := binary.BigEndian.AppendUint64([]byte(seed), uint64(n)) //nolint:gosec // a counter, hashed
	sum := sha256.Sum256(in)
	var id [16]byte
	copy(id[:], sum[:])
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
