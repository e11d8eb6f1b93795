#!/usr/bin/env bash
# A Vulkan driver in software, for the webgpu engine where there is no GPU: SwiftShader and Vulkan's loader, unpacked
# from Debian's chromium-common (nothing is installed). Prints what to set before Node starts:
#
#     eval "$(scripts/install-swiftshader.sh)"
#
# Needs apt (Debian, Ubuntu's derivatives without snap) and dpkg-deb. Exits with 1 and one line where it cannot.
set -euo pipefail

folder="${TFPIPE_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/tfpipe}/swiftshader"
if [ ! -f "$folder/libvk_swiftshader.so" ]; then
  refuse() { echo "SwiftShader was not fetched: $1" >&2; exit 1; }
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || refuse "there is no apt here"
  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
  # As root apt downloads as a user of its own, who must be able to write here.
  chmod 755 "$work" && mkdir -m 777 "$work/download"
  (
    cd "$work/download"
    apt-get download -qq chromium-common >/dev/null 2>&1 ||
      { apt-get update -qq >/dev/null 2>&1 && apt-get download -qq chromium-common >/dev/null 2>&1; }
  ) || refuse "apt could not download chromium-common"
  dpkg-deb --fsys-tarfile "$work"/download/chromium-common_*.deb |
    tar -x -C "$work" --wildcards '*/libvk_swiftshader.so' '*/vk_swiftshader_icd.json' '*/libvulkan.so.1' ||
    refuse "chromium-common no longer has it"
  mkdir -p "$(dirname "$folder")" "$work/ready"
  mv "$work"/usr/lib/chromium/{libvk_swiftshader.so,vk_swiftshader_icd.json,libvulkan.so.1} "$work/ready"
  # Whole or not at all, whoever else does the same.
  mv -T "$work/ready" "$folder" 2>/dev/null || [ -f "$folder/libvk_swiftshader.so" ]
fi
printf 'export VK_ICD_FILENAMES=%q\n' "$folder/vk_swiftshader_icd.json"
printf 'export LD_LIBRARY_PATH=%q"${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n' "$folder"
