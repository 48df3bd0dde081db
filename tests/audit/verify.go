// Checks an exported audit log with independent code: golang.org/x/mod/sumdb (note, tlog) from Debian's packages.
//
//	GO111MODULE=off go run verify.go FOLDER
//
// Exits with 0 when the checkpoint is signed by the key in the file "verifier", the tiles have its root, and every event has
// its leaf in the tiles; else with 1.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// tiles reads tiles of height 8 in the layout of c2sp.org/tlog-tiles, whose paths leave the height out.
type tiles struct{ folder string }

func (tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, err := os.ReadFile(filepath.Join(t.folder, path))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func verify(folder string) (int64, error) {
	key, err := os.ReadFile(filepath.Join(folder, "verifier"))
	if err != nil {
		return 0, err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	if err != nil {
		return 0, err
	}
	message, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return 0, err
	}
	opened, err := note.Open(message, note.VerifierList(verifier))
	if err != nil {
		return 0, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 {
		return 0, errors.New("the checkpoint does not have three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return 0, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return 0, errors.New("the root cannot be read")
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	reader := tlog.TileHashReader(tree, tiles{folder})
	for first := int64(0); first < size; first += 256 {
		width := size - first
		if width > 256 {
			width = 256
		}
		path := strings.Replace(tlog.Tile{H: 8, L: 0, N: first / 256, W: int(width)}.Path(), "tile/8/0/", "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return 0, err
		}
		var indexes []int64
		for n := int64(0); n < width; n++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, first+n))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return 0, err
		}
		for n, hash := range hashes {
			if len(bundle) < 2 {
				return 0, errors.New("a bundle ends too early")
			}
			length := int(binary.BigEndian.Uint16(bundle))
			bundle = bundle[2:]
			if len(bundle) < length {
				return 0, errors.New("an event is cut")
			}
			if tlog.RecordHash(bundle[:length]) != hash {
				return 0, fmt.Errorf("event %d is not the one in the tree", first+int64(n))
			}
			bundle = bundle[length:]
		}
		if len(bundle) != 0 {
			return 0, errors.New("a bundle holds more than its events")
		}
	}
	return size, nil
}

func main() {
	size, err := verify(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d events verified\n", size)
}
