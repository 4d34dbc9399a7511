package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Dashboard is the built dashboard: index.html and its hashed assets.
func Dashboard() (fs.FS, error) { return fs.Sub(dist, "dist") }
