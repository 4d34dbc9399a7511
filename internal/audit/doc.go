// Package audit keeps each decision to allow or to deny, and each change, in Postgres
// before it is answered.
//
// Invariant: when Record gives no error the entry is committed; when it gives one the
// caller must not go on. The log may hold an entry whose caller was told of an error (it
// did not wait any longer, or the connection broke during the commit), and never lacks
// one whose caller was told of success. It must not import any package of ours but
// models.
package audit
