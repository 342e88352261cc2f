package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type zipEnt struct {
	name string
	data []byte
}

// zipOf writes a stored archive by the standard library.
func zipOf(ents ...zipEnt) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range ents {
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: zip.Store})
		if err == nil {
			_, err = f.Write(e.data)
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// zip64Of writes a stored archive with every size and offset in zip64 fields, as
// a checkpoint beyond 4 GiB has them.
func zip64Of(ents ...zipEnt) []byte {
	const ones = 0xffffffff
	var b, dir []byte
	for _, e := range ents {
		at, n := uint64(len(b)), uint64(len(e.data))
		b = append(b, "PK\x03\x04"...)
		b = append(b, make([]byte, 14)...)
		b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, ones), ones)
		b = append(b, byte(len(e.name)), 0, 20, 0)
		b = append(b, e.name...)
		b = append(b, 1, 0, 16, 0)
		b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, n), n)
		b = append(b, e.data...)
		dir = append(dir, "PK\x01\x02"...)
		dir = append(dir, make([]byte, 16)...)
		dir = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(dir, ones), ones)
		dir = append(dir, byte(len(e.name)), 0, 33, 0)
		dir = append(dir, make([]byte, 10)...)
		dir = binary.LittleEndian.AppendUint32(dir, ones)
		dir = append(dir, e.name...)
		dir = append(dir, 0x99, 0x99, 1, 0, 7) // a field of another kind comes first
		dir = append(dir, 1, 0, 24, 0)
		dir = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dir, n), n)
		dir = binary.LittleEndian.AppendUint64(dir, at)
	}
	at := uint64(len(b))
	b = append(b, dir...)
	end := uint64(len(b))
	b = append(b, "PK\x06\x06"...)
	b = binary.LittleEndian.AppendUint64(b, 44)
	b = append(b, make([]byte, 12)...)
	for _, v := range []uint64{uint64(len(ents)), uint64(len(ents)), uint64(len(dir)), at} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = append(b, "PK\x06\x07\x00\x00\x00\x00"...)
	b = binary.LittleEndian.AppendUint64(b, end)
	b = append(b, 1, 0, 0, 0)
	b = append(b, "PK\x05\x06\x00\x00\x00\x00\xff\xff\xff\xff"...)
	b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, ones), ones)
	return append(b, 0, 0)
}

func TestZip64(t *testing.T) {
	data := zip64Of(zipEnt{"m/data.pkl", []byte("}Vw\n" + goodTensor() + "s.")}, zipEnt{"m/data/0", f32Bytes(3, 4)})
	src := open(t, writeFile(t, "m.pt", data))
	require.Equal(t, []float32{3, 4}, f32Of(t, get(t, src, "w")))

	end := bytes.LastIndex(data, []byte("PK\x06\x06"))
	for field, reason := range map[int]string{32: "limit is", 40: "outside the file", 48: "outside the file"} {
		bad := bytes.Clone(data)
		binary.LittleEndian.PutUint64(bad[end+field:], 1<<63)
		_, err := readZipDirectory(bad)
		require.ErrorContains(t, err, reason)
	}
	bad := bytes.Clone(data)
	loc := bytes.LastIndex(bad, []byte("PK\x06\x07"))
	binary.LittleEndian.PutUint64(bad[loc+8:], 1<<63)
	_, err := readZipDirectory(bad)
	require.ErrorContains(t, err, "zip64 end record is damaged")
	// An entry whose 64-bit size or offset points far outside.
	field := bytes.LastIndex(bad, []byte{1, 0, 24, 0}) + 4
	for _, at := range []int{0, 8, 16} {
		bad := bytes.Clone(data)
		binary.LittleEndian.PutUint64(bad[field+at:], 1<<63-1)
		_, err := parseTorch("m.pt", &mapping{data: bad})
		require.Error(t, err)
	}
}

func TestZipRefuses(t *testing.T) {
	pickle := []byte("}Vw\n" + goodTensor() + "s.")
	storage := zipEnt{"a/data/0", f32Bytes(1, 2)}
	deflated := func(name string, data []byte) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		require.NoError(t, err)
		_, err = f.Write(data)
		require.NoError(t, err)
		if name != "a/data.pkl" {
			f, err = w.CreateHeader(&zip.FileHeader{Name: "a/data.pkl", Method: zip.Store})
			require.NoError(t, err)
			_, err = f.Write(pickle)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		return b.Bytes()
	}
	many := make([]zipEnt, maxEntries+1)
	for i := range many {
		many[i].name = fmt.Sprint(i)
	}
	tar := make([]byte, 1024)
	copy(tar[257:], "ustar")
	for name, c := range map[string]struct {
		data   []byte
		reason string
	}{
		"bomb in a storage":   {deflated("a/data/0", make([]byte, 1<<20)), `"a/data/0" is compressed`},
		"bomb in the pickle":  {deflated("a/data.pkl", bytes.Repeat([]byte("}"), 1<<20)), `"a/data.pkl" is compressed`},
		"two data.pkl":        {zipOf(zipEnt{"a/data.pkl", pickle}, zipEnt{"b/data.pkl", pickle}, storage), "2 data.pkl"},
		"same data.pkl twice": {zipOf(zipEnt{"a/data.pkl", pickle}, zipEnt{"a/data.pkl", pickle}, storage), "listed twice"},
		"no data.pkl":         {zipOf(storage), "without data.pkl"},
		"empty archive":       {zipOf(), "without data.pkl"},
		"many entries":        {zipOf(many...), "limit is 41000"},
		"big endian":          {zipOf(zipEnt{"a/data.pkl", pickle}, storage, zipEnt{"a/byteorder", []byte("big")}), "big-endian"},
		"no end":              {[]byte("PK\x03\x04" + strings.Repeat("x", 100)), "without an end record"},
		"tar":                 {tar, "tar checkpoint from before PyTorch"},
		"other pickle":        {[]byte("\x80\x02}q\x00."), "neither a zip archive nor PyTorch's stream"},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, "x.pt", c.data)
			_, err := Open(path)
			requireFormatError(t, err, path, c.reason)
		})
	}
	encrypted := zipOf(zipEnt{"a/data.pkl", pickle}, storage)
	encrypted[bytes.Index(encrypted, []byte("PK\x01\x02"))+8] |= 1
	_, err := parseTorch("x.pt", &mapping{data: encrypted})
	require.ErrorContains(t, err, "compressed or encrypted")
}

func TestLegacyRefuses(t *testing.T) {
	const magic = "L119547037146038801333356L\n."
	stream := func(version, info, object, keys, data string) []byte {
		return []byte(magic + version + "." + info + "." + object + "." + keys + "." + data)
	}
	const version, info = "I1001\n", "}Vlittle_endian\nI01\ns"
	good := "}Vw\n" + goodTensor() + "s"
	data := string(le.AppendUint64(nil, 2)) + string(f32Bytes(5, 6))
	src := open(t, writeFile(t, "x.pt", stream(version, info, good, "(V0\nl", data)))
	require.Equal(t, []float32{5, 6}, f32Of(t, get(t, src, "w")))

	other := strings.Replace(goodTensor(), "FloatStorage", "IntStorage", 1)
	for name, c := range map[string]struct {
		data   []byte
		reason string
	}{
		"version":        {stream("I1000\n", info, good, "(V0\nl", data), "unknown version"},
		"big endian":     {stream(version, "}Vlittle_endian\nI00\ns", good, "(V0\nl", data), "big-endian"},
		"no keys":        {stream(version, info, good, "N", data), "list of storages is missing"},
		"key twice":      {stream(version, info, good, "(V0\nV0\nl", data+data), "listed twice or not used"},
		"unused key":     {stream(version, info, good, "(V1\nl", data), "listed twice or not used"},
		"key a list":     {stream(version, info, good, "(]l", data), "listed twice or not used"},
		"missing key":    {stream(version, info, good, "(l", data), "missing from the stream"},
		"other count":    {stream(version, info, good, "(V0\nl", string(le.AppendUint64(nil, 3))+data), "not where the stream should have it"},
		"short data":     {stream(version, info, good, "(V0\nl", data[:15]), "claims 2 elements of F32, but has 7 bytes"},
		"no data":        {stream(version, info, good, "(V0\nl", ""), "download complete?"},
		"two meanings":   {stream(version, info, "}(Va\n"+goodTensor()+"Vb\n"+other+"u", "(V0\nl", data), "described in two ways"},
		"os.system":      {stream(version, info, "cos\nsystem\n(Vls\ntR", "(V0\nl", data), `refers to "os.system"`},
		"system in info": {stream(version, "cos\nsystem\n(Vls\ntR", good, "(V0\nl", data), `refers to "os.system"`},
		"huge storage":   {stream(version, info, "}Vw\n"+tensorArgs(big62, "I0\n", "I2\n", "I1\n")+"s", "(V0\nl", string(le.AppendUint64(nil, 1<<62))+data), "claims 4611686018427387904"},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, "x.pt", c.data)
			_, err := Open(path)
			requireFormatError(t, err, path, c.reason)
		})
	}
}
