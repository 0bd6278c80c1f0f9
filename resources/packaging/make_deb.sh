#!/bin/sh
# Packs the folder that agelens.spec made as a Debian package, dist/agelens_VERSION_ARCHITECTURE.deb:
# a command, a place in the desktop's menu, and the system's libraries that the window needs.
set -eu
cd "$(dirname "$0")/../.."
version=$(dist/agelens/agelens --version | cut -d " " -f 2)
architecture=$(dpkg --print-architecture)
tree=build/deb
rm -rf "$tree"
mkdir -p "$tree/DEBIAN" "$tree/opt" "$tree/usr/bin" "$tree/usr/share/doc/agelens"
cp -r dist/agelens "$tree/opt/agelens"
ln -s /opt/agelens/agelens "$tree/usr/bin/agelens"
install -D -m 644 resources/packaging/agelens.desktop -t "$tree/usr/share/applications"
install -D -m 644 resources/packaging/*.metainfo.xml -t "$tree/usr/share/metainfo"
install -D -m 644 resources/agelens.svg -t "$tree/usr/share/icons/hicolor/scalable/apps"
cat LICENSE NOTICE > "$tree/usr/share/doc/agelens/copyright"
cat > "$tree/DEBIAN/control" <<END
Package: agelens
Version: $version
Architecture: $architecture
Maintainer: the Agelens authors <agelens@localhost>
Installed-Size: $(du -sk "$tree" | cut -f 1)
Depends: libc6 (>= $(ldd --version | sed -n '1s/.* //p')), libegl1, libgl1, libgles2
Recommends: libwayland-cursor0, libwayland-egl1
Section: science
Priority: optional
Description: age group and perceived gender from live video, on your own machine
 Agelens opens a camera, a file, a stream or a folder, finds and follows faces,
 and shows for each one the age group and the perceived gender that a small
 network predicts. Nothing leaves the machine. The answers are often wrong:
 never decide anything about anyone by them.
END
# The usual xz takes ten minutes on two cores.
dpkg-deb -Zzstd --root-owner-group --build "$tree" "dist/agelens_${version}_$architecture.deb"
