// Command interop checks a receipt, a consistency proof and tiles with an implementation that shares no line with quorumgate:
// golang.org/x/mod/sumdb/note and tlog. It takes a folder with the files policy, receipt.tlog-proof, older-checkpoint,
// consistency (one base64 hash a line) and tile/…, and says on stdout what held.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	proofHeader     = "c2sp.org/tlog-proof@v1"
	typeCosignature = 4
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: interop FOLDER")
		os.Exit(2)
	}
	report, err := check(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(report)
}

type report struct {
	LogSignatures     int   `json:"logSignatures"`
	WitnessSignatures int   `json:"witnessSignatures"`
	Size              int64 `json:"size"`
	Index             int64 `json:"index"`
	OlderSize         int64 `json:"olderSize"`
}

func check(folder string) (*report, error) {
	read := func(name string) (string, error) {
		data, err := os.ReadFile(filepath.Join(folder, name))
		return string(data), err
	}
	policyText, err := read("policy")
	if err != nil {
		return nil, err
	}
	policy, err := parsePolicy(policyText)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	receiptText, err := read("receipt.tlog-proof")
	if err != nil {
		return nil, err
	}
	receipt, err := parseReceipt(receiptText)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	tree, logs, witnesses, err := policy.openCheckpoint(receipt.checkpoint)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	leaf := tlog.RecordHash(receipt.entry)
	if err := tlog.CheckRecord(receipt.proof, tree.N, tree.Hash, receipt.index, leaf); err != nil {
		return nil, fmt.Errorf("inclusion: %w", err)
	}
	olderText, err := read("older-checkpoint")
	if err != nil {
		return nil, err
	}
	older, _, _, err := policy.openCheckpoint(olderText)
	if err != nil {
		return nil, fmt.Errorf("older checkpoint: %w", err)
	}
	consistencyText, err := read("consistency")
	if err != nil {
		return nil, err
	}
	consistency, err := parseHashes(strings.Fields(consistencyText))
	if err != nil {
		return nil, fmt.Errorf("consistency: %w", err)
	}
	if err := tlog.CheckTree(consistency, tree.N, tree.Hash, older.N, older.Hash); err != nil {
		return nil, fmt.Errorf("consistency: %w", err)
	}
	if err := checkTiles(folder, tree, older, receipt, consistency); err != nil {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	return &report{logs, witnesses, tree.N, receipt.index, older.N}, nil
}

// policy is what C2SP tlog-policy says; comments are ignored, as a stock tool would.
type policy struct {
	origin    string
	logs      []note.Verifier
	witnesses []note.Verifier
	threshold int
}

func parsePolicy(text string) (*policy, error) {
	var p policy
	for _, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		switch fields[0] {
		case "log":
			verifier, err := note.NewVerifier(fields[1])
			if err != nil {
				return nil, err
			}
			p.logs = append(p.logs, verifier)
			p.origin = verifier.Name()
		case "witness":
			verifier, err := newCosignatureVerifier(fields[2])
			if err != nil {
				return nil, err
			}
			p.witnesses = append(p.witnesses, verifier)
		case "group":
			threshold, err := strconv.Atoi(fields[2])
			if err != nil {
				return nil, err
			}
			p.threshold = threshold
		case "quorum":
		default:
			return nil, fmt.Errorf("unknown line %q", fields[0])
		}
	}
	if len(p.logs) == 0 || len(p.witnesses) == 0 || p.threshold == 0 {
		return nil, errors.New("no logs, witnesses or quorum")
	}
	return &p, nil
}

// openCheckpoint opens the note with all log keys and with all witness keys, then with each key alone, and counts the signatures.
func (p *policy) openCheckpoint(text string) (tree tlog.Tree, logs, witnesses int, err error) {
	opened, err := note.Open([]byte(text), note.VerifierList(p.logs...))
	if err != nil {
		return tree, 0, 0, err
	}
	logs = len(opened.Sigs)
	cosigned, err := note.Open([]byte(text), note.VerifierList(p.witnesses...))
	if err != nil {
		return tree, 0, 0, err
	}
	witnesses = len(cosigned.Sigs)
	lines := logs + len(opened.UnverifiedSigs)
	if logs < p.threshold || witnesses < p.threshold {
		return tree, 0, 0, fmt.Errorf("%d log and %d witness signatures are no quorum of %d", logs, witnesses, p.threshold)
	}
	if logs+witnesses != lines {
		return tree, 0, 0, fmt.Errorf("%d of %d lines are by no known key", lines-logs-witnesses, lines)
	}
	if err := openOneByOne(text, p.logs, logs); err != nil {
		return tree, 0, 0, err
	}
	if err := openOneByOne(text, p.witnesses, witnesses); err != nil {
		return tree, 0, 0, err
	}
	tree, err = parseTree(opened.Text, p.origin)
	return tree, logs, witnesses, err
}

func openOneByOne(text string, verifiers []note.Verifier, want int) error {
	count := 0
	for _, verifier := range verifiers {
		_, err := note.Open([]byte(text), note.VerifierList(verifier))
		var unverified *note.UnverifiedNoteError
		if errors.As(err, &unverified) {
			continue
		}
		if err != nil {
			return err
		}
		count++
	}
	if count != want {
		return fmt.Errorf("%d keys open the note, %d signatures were counted", count, want)
	}
	return nil
}

func parseTree(text, origin string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != origin || lines[3] != "" {
		return tlog.Tree{}, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, errors.New("malformed size")
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// cosignatureVerifier is a note.Verifier for C2SP tlog-cosignature, cosignature/v1.
type cosignatureVerifier struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosignatureVerifier(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("malformed verifier key")
	}
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) != 33 || data[0] != typeCosignature {
		return nil, errors.New("not a cosignature key")
	}
	digest := sha256.Sum256(append([]byte(parts[0]+"\n"), data...))
	hash := binary.BigEndian.Uint32(digest[:4])
	if fmt.Sprintf("%08x", hash) != parts[1] {
		return nil, errors.New("the key id does not follow from the key")
	}
	return &cosignatureVerifier{parts[0], hash, ed25519.PublicKey(data[1:])}, nil
}

func (v *cosignatureVerifier) Name() string    { return v.name }
func (v *cosignatureVerifier) KeyHash() uint32 { return v.hash }
func (v *cosignatureVerifier) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(v.key, []byte(signed), sig[8:])
}

type receipt struct {
	entry      []byte
	index      int64
	proof      []tlog.Hash
	checkpoint string
}

func parseReceipt(text string) (*receipt, error) {
	head, checkpoint, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != proofHeader {
		return nil, errors.New("not a tlog-proof")
	}
	extra, hasExtra := strings.CutPrefix(lines[1], "extra ")
	index, hasIndex := strings.CutPrefix(lines[2], "index ")
	if !hasExtra || !hasIndex {
		return nil, errors.New("no extra or index")
	}
	entry, err := base64.StdEncoding.Strict().DecodeString(extra)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseInt(index, 10, 64)
	if err != nil {
		return nil, err
	}
	proof, err := parseHashes(lines[3:])
	return &receipt{entry, number, proof, checkpoint}, err
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

// checkTiles makes both proofs again from the tiles alone and compares them with those of the files.
func checkTiles(folder string, tree, older tlog.Tree, r *receipt, consistency []tlog.Hash) error {
	reader := tlog.TileHashReader(tree, tileFolder(folder))
	proof, err := tlog.ProveRecord(tree.N, r.index, reader)
	if err != nil {
		return err
	}
	if fmt.Sprint(proof) != fmt.Sprint(tlog.RecordProof(r.proof)) {
		return errors.New("the tiles give another inclusion proof")
	}
	treeProof, err := tlog.ProveTree(tree.N, older.N, reader)
	if err != nil {
		return err
	}
	if fmt.Sprint(treeProof) != fmt.Sprint(tlog.TreeProof(consistency)) {
		return errors.New("the tiles give another consistency proof")
	}
	return nil
}

// tileFolder reads tiles of height 8 from a folder laid out as C2SP tlog-tiles: the paths of sumdb without the height.
type tileFolder string

func (tileFolder) Height() int                     { return 8 }
func (tileFolder) SaveTiles([]tlog.Tile, [][]byte) {}
func (f tileFolder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		bytes, err := os.ReadFile(filepath.Join(string(f), filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		data[i] = bytes
	}
	return data, nil
}
