// Programs that are not ours read a log: starts `indelible serve`, lets its log grow, and holds what it serves against
// golang.org/x/mod/sumdb (note, tlog) and github.com/transparency-dev/tessera (client, fsck). Ends with 1 at the first difference.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var sizes = []int{1, 254, 1, 1, 299, 4444} // 1, 255, 256, 257, 556 and 5000 entries

type proof struct {
	Index, Size int64
	Leaf        tlog.Hash
	Hashes      []tlog.Hash
	Header      string
}

func main() {
	command := flag.String("indelible", "../../.venv/bin/indelible", "the command that serves")
	flag.Parse()
	base, stop := serve(*command)
	defer stop()
	log := base + "/v1/logs/default"
	ctx := context.Background()

	vkey := strings.TrimSpace(string(get(log + "/vkey")))
	verifier := must(note.NewVerifier(vkey))
	fetcher := must(client.NewHTTPFetcher(must(url.Parse(log+"/")), nil))
	var tracker *client.LogStateTracker
	sent := 0
	for _, count := range sizes {
		post(log, sent, count)
		sent += count
		checkpoint, raw, _ := must3(client.FetchCheckpoint(ctx, fetcher.ReadCheckpoint, verifier, verifier.Name()))
		expect(checkpoint.Size == uint64(sent), "the checkpoint has %d entries, sent were %d", checkpoint.Size, sent)
		if tracker == nil {
			consensus := client.UnilateralConsensus(fetcher.ReadCheckpoint)
			tracker = must(client.NewLogStateTracker(ctx, fetcher.ReadTile, raw, verifier, verifier.Name(), consensus))
		} else {
			_, _, _, err := tracker.Update(ctx) // tessera builds the consistency proof from tiles and checks it
			check(err)
		}
		check(fsck.New(verifier.Name(), verifier, fetcher, leaves, fsck.Opts{N: 4}).Check(ctx))
		bySumdb(log, raw, verifier)
		byTessera(ctx, log, fetcher, checkpoint.Size)
		fmt.Printf("%d entries: note, checkpoint, tiles, bundles, fsck and proofs agree\n", sent)
	}
}

// bySumdb opens the note, reads hashes through tiles that it authenticates, and checks our proofs with them.
func bySumdb(log string, raw []byte, verifier note.Verifier) {
	opened := must(note.Open(raw, note.VerifierList(verifier)))
	lines := strings.Split(opened.Text, "\n")
	var size int64
	must(fmt.Sscan(lines[1], &size))
	root := must(tlog.ParseHash(lines[2]))
	tree := tlog.Tree{N: size, Hash: root}
	reader := tlog.TileHashReader(tree, tiles{log})
	for _, index := range some(size) {
		made := ask[proof](fmt.Sprintf("%s/proof/inclusion?index=%d", log, index))
		expect(made.Leaf == tlog.RecordHash([]byte(made.Header)), "entry %d: its header does not hash to its leaf", index)
		check(tlog.CheckRecord(made.Hashes, size, root, index, made.Leaf))
		expect(slices.Equal(made.Hashes, must(tlog.ProveRecord(size, index, reader))), "entry %d: another proof than ours", index)
		file := string(get(fmt.Sprintf("%s/proof/inclusion?index=%d&format=tlog-proof", log, index)))
		expect(strings.HasSuffix(file, "\n\n"+string(raw)), "entry %d: its file does not end with the checkpoint", index)
	}
	for _, old := range some(size) {
		made := ask[proof](fmt.Sprintf("%s/proof/consistency?from=%d", log, old+1))
		before := must(tlog.TreeHash(old+1, reader))
		check(tlog.CheckTree(made.Hashes, size, root, old+1, before))
	}
}

// byTessera builds proofs from tiles alone; ours have to be the same.
func byTessera(ctx context.Context, log string, fetcher *client.HTTPFetcher, size uint64) {
	builder := must(client.NewProofBuilder(ctx, size, fetcher.ReadTile))
	for _, index := range some(int64(size)) {
		theirs := must(builder.InclusionProof(ctx, uint64(index)))
		ours := ask[proof](fmt.Sprintf("%s/proof/inclusion?index=%d", log, index)).Hashes
		expect(slices.EqualFunc(ours, theirs, same), "entry %d: tessera builds another proof", index)
		theirs = must(builder.ConsistencyProof(ctx, uint64(index+1), size))
		ours = ask[proof](fmt.Sprintf("%s/proof/consistency?from=%d", log, index+1)).Hashes
		expect(slices.EqualFunc(ours, theirs, same), "size %d: tessera builds another proof", index+1)
	}
}

func same(ours tlog.Hash, theirs []byte) bool { return bytes.Equal(ours[:], theirs) }

// some indices: the ends, the edges of tiles, and a few between.
func some(size int64) []int64 {
	chosen := []int64{0, 1, 127, 254, 255, 256, 257, 511, 512, 1000, 4095, 4096, size / 2, size - 2, size - 1}
	return slices.DeleteFunc(chosen, func(index int64) bool { return index < 0 || index >= size })
}

// tiles reads those of height 8 under the paths of tlog-tiles.
type tiles struct{ log string }

func (tiles) Height() int                     { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (from tiles) ReadTiles(all []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range all {
		found = append(found, get(from.log+"/"+strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
	}
	return found, nil
}

func leaves(bundle []byte) ([][]byte, error) {
	var entries api.EntryBundle
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

// serve starts a server on an empty directory; its address, and what ends it.
func serve(command string) (string, func()) {
	folder := must(os.MkdirTemp("", "indelible-interop-"))
	process := exec.Command(command, "serve", "--data", folder, "--port", "0", "--origin", "interop.example/v1/logs")
	said := must(process.StderrPipe())
	check(process.Start())
	for lines := bufio.NewScanner(said); lines.Scan(); {
		var line struct{ Event, URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Event == "ready" {
			go io.Copy(io.Discard, said)
			return line.URL, func() {
				process.Process.Signal(syscall.SIGTERM)
				process.Wait()
				os.RemoveAll(folder)
			}
		}
		fmt.Fprintln(os.Stderr, lines.Text())
	}
	panic("the server did not start")
}

// post sends events and waits until they are under a checkpoint.
func post(log string, first, count int) {
	var body bytes.Buffer
	for number := first; number < first+count; number++ {
		fmt.Fprintf(&body, `{"id":"%d","type":"interop.sent","source":"go","data":%d}`+"\n", number, number)
	}
	answer := must(http.Post(log+"/events?ack=proven", "application/x-ndjson", &body))
	defer answer.Body.Close()
	expect(answer.StatusCode == 201, "POST: %s", answer.Status)
}

func get(address string) []byte {
	answer := must(http.Get(address))
	defer answer.Body.Close()
	body := must(io.ReadAll(answer.Body))
	expect(answer.StatusCode == 200, "GET %s: %s %s", address, answer.Status, body)
	return body
}

func ask[T any](address string) (value T) {
	check(json.Unmarshal(get(address), &value))
	return value
}

func expect(holds bool, format string, values ...any) {
	if !holds {
		panic(fmt.Sprintf(format, values...))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func must3[A, B, C any](a A, b B, c C, err error) (A, B, C) {
	check(err)
	return a, b, c
}
