step "one reqwest, one hyper, one rustls, one crypto provider"
for crate in reqwest hyper rustls; do
    count="$(cargo tree --locked --workspace --all-features -e normal --prefix none -f '{p}' | grep -E "^$crate v" | sed 's, (\*)$,,' | sort -u | wc -l)"
    [ "$count" -eq 1 ] || { echo "$count versions of $crate"; exit 1; }
done
if cargo tree --locked --workspace --all-features -e normal,build,dev -i ring 2>/dev/null | grep -q '^ring'; then
    echo "ring is in the tree"; exit 1
fi
step "the package holds what its README links to"
packaged="$(cargo package --locked --allow-dirty -p config-azure --list)"
links="$(grep -oE '\]\([^)#]+' README.md | cut -c3- | grep -v '^https:' | sort -u)"
[ -n "$links" ]
for link in $links; do
    grep -qxF "$link" <<<"$packaged" || { echo "README.md links to $link, which is not in the package"; exit 1; }
done
