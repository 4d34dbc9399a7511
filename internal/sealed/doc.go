// Package sealed encrypts what workflows carry, so that Temporal's database holds no
// wedding data that it could read: inputs, results, signals, queries, memos and the texts
// of failures.
//
// Invariant: a payload leaves this process encrypted under the first key, and one under
// any known key can be read; a key that is not known is an error, never an empty value.
// Search attributes stay readable, since the server searches them: none holds wedding data
// but a date. It must not import any other package of ours but models.
package sealed
