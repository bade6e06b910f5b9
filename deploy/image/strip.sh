# Removes from the image's Python what installs and builds, and takes away every right to become another user.
set -eu
library=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
packages=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
for part in ensurepip idlelib lib2to3 pydoc_data tkinter turtledemo turtle.py test venv __phello__; do
    rm -rf "${library:?}/$part"
done
rm -rf "$library"/config-3* "${packages:?}"/pip* "$packages"/setuptools* "$packages"/wheel*
rm -rf /usr/local/include /usr/include /usr/share/python-wheels /usr/local/lib/pkgconfig /usr/share/man /usr/share/locale
rm -f /usr/local/bin/pip* /usr/local/bin/idle* /usr/local/bin/pydoc* /usr/local/bin/python*-config /usr/bin/pydoc* /usr/bin/pygettext*
rm -rf /var/cache/* /var/lib/apt/lists/* /var/log/* /root/.cache
find / -xdev -type f -perm /6000 -exec chmod a-s {} +
