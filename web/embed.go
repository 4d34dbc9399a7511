package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS //nolint:gochecknoglobals // go:embed needs a package variable

// Dashboard is the built dashboard: index.html and its hashed assets.
func Dashboard() (fs.FS, error) { return fs.Sub(dist, "dist") }
