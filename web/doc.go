// Package web embeds the built dashboard, so that one binary serves it. The sources
// are TypeScript in src; dist is what `make web` makes of them and is committed, so
// that building the binary needs no Node. It imports nothing of ours.
package web
