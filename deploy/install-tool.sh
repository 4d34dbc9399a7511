#!/bin/sh
# Installs one Go tool at a pinned version into a folder, once per version.
# usage: install-tool.sh FOLDER NAME PACKAGE VERSION
set -eu
folder=$1 name=$2 package=$3 version=$4
stamp="$folder/.$name-$version"
if [ -x "$folder/$name" ] && [ -f "$stamp" ]; then exit 0; fi
mkdir -p "$folder"
echo "installing $name $version ..."
GOFLAGS='' GOBIN="$folder" go install "$package@$version"
rm -f "$folder/.$name-"*
: >"$stamp"
