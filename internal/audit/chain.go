package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// digest is a SHA-256.
type digest = [sha256.Size]byte

// head is the end of a stream: the number and the hash of its last row. A stream without
// rows ends at number 0 and its genesis.
type head struct {
	stream string
	seq    int64
	hash   digest
}

// genesis stands where a stream's first row has the hash of the row before. It differs from
// stream to stream, so that none can be passed off as another.
func genesis(stream string) digest { return sha256.Sum256([]byte("wedsync audit stream 1\n" + stream)) }

// columnsSQL are the columns in the order in which they are hashed. In the binary form of
// COPY, which is the canonical one, each column is its length (4 bytes, big endian) and its
// bytes; numbers are 8 bytes, big endian; a time is its microseconds since 2000. So
//
//	hash = SHA-256(hash of the row before ‖ canonical bytes of the columns)
//
// and verification hashes what the database sends, without taking it apart.
const columnsSQL = `stream, seq, at, id, actor, action, object, decision, rule, roles, policy_revision, context, request_id, trace_id, remote_ip`

// epoch is the zero of Postgres' times, in microseconds since 1970.
const epoch = 946_684_800_000_000

// next appends a row to a stream: it gives the stream's new head.
func (h head) next(r *row, buf []byte) (head, []byte) {
	buf = append(buf[:0], h.hash[:]...)
	buf = canonical(buf, h.stream, h.seq+1, r)
	return head{h.stream, h.seq + 1, sha256.Sum256(buf)}, buf
}

// canonical appends the bytes of a row that are hashed.
func canonical(b []byte, stream string, seq int64, r *row) []byte {
	b = text(b, stream)
	b = number(b, seq)
	b = number(b, r.at.UnixMicro()-epoch)
	for _, s := range [...]string{r.id, r.actor, r.action, r.object, r.decision, r.rule, r.roles} {
		b = text(b, s)
	}
	b = number(b, r.revision)
	for _, s := range [...]string{r.context, r.requestID, r.traceID, r.remoteIP} {
		b = text(b, s)
	}
	return b
}

func text(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // texts are bounded to far less
	return append(b, s...)
}

func number(b []byte, n int64) []byte {
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, uint64(n)) //nolint:gosec // its bits, as Postgres sends them
}

// newStream names a stream of a process, unlike any before.
func newStream(process string, now time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%s-%s-%s", clean(process, 100), now.UTC().Format("20060102T150405Z"), hex.EncodeToString(b[:]))
}
