package vision

import (
	"bytes"
	"strings"
)

// Names of the formats that [Decode] reads.
const (
	formatJPEG = "JPEG"
	formatPNG  = "PNG"
	formatGIF  = "GIF"
	formatWebP = "WebP"
	formatBMP  = "BMP"
	formatTIFF = "TIFF"
)

// magics are the first bytes of formats; '?' stands for any byte. Those that
// cannot be decoded are there so that the refusal can name them.
var magics = []struct{ bytes, format string }{
	{"\xff\xd8\xff", formatJPEG},
	{"\x89PNG\r\n\x1a\n", formatPNG},
	{"GIF87a", formatGIF},
	{"GIF89a", formatGIF},
	{"RIFF????WEBP", formatWebP},
	{"BM", formatBMP},
	{"II*\x00", formatTIFF},
	{"MM\x00*", formatTIFF},
	{"\xff\x0a", "JPEG XL"},
	{"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"},
	{"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"},
	{"\xff\x4f\xff\x51", "JPEG 2000"},
	{"II\xbc", "JPEG XR"},
	{"II+\x00", "BigTIFF"},
	{"MM\x00+", "BigTIFF"},
	{"%PDF-", "PDF"},
	{"%!PS", "PostScript"},
	{"8BPS", "Photoshop"},
	{"\x00\x00\x01\x00", "icon"},
	{"qoif", "QOI"},
	{"v/1\x01", "OpenEXR"},
	{"DDS ", "DDS"},
	{"RIFF????AVI ", "AVI video"},
	{"\x1aE\xdf\xa3", "Matroska video"},
	{"PK\x03\x04", "ZIP archive"},
	{"\x1f\x8b", "gzip archive"},
	{"P1", "PNM"}, {"P2", "PNM"}, {"P3", "PNM"}, {"P4", "PNM"}, {"P5", "PNM"}, {"P6", "PNM"},
}

// brands of ISO media files, at byte 8 after "ftyp".
var brands = map[string]string{
	"heic": "HEIC", "heix": "HEIC", "heim": "HEIC", "heis": "HEIC", "hevc": "HEIC", "hevx": "HEIC", "mif1": "HEIF", "msf1": "HEIF",
	"avif": "AVIF", "avis": "AVIF", "crx ": "Canon CR3",
}

// sniff names the format of a file by its content, or returns "". The
// extension is never looked at.
func sniff(data []byte) string {
	for _, m := range magics {
		if matches(data, m.bytes) {
			return m.format
		}
	}
	if len(data) >= 12 && string(data[4:8]) == "ftyp" {
		if name, ok := brands[string(data[8:12])]; ok {
			return name
		}
		return "MP4 video"
	}
	return sniffText(data)
}

func matches(data []byte, magic string) bool {
	if len(data) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && data[i] != magic[i] {
			return false
		}
	}
	return true
}

// sniffText names markup that pretends to be a picture.
func sniffText(data []byte) string {
	head := bytes.TrimPrefix(data[:min(len(data), 1024)], []byte("\xef\xbb\xbf"))
	text := strings.ToLower(string(bytes.TrimSpace(head)))
	switch {
	case !strings.HasPrefix(text, "<"):
		if strings.HasPrefix(text, "{") {
			return "JSON"
		}
		return ""
	case strings.Contains(text, "<svg"):
		return "SVG"
	case strings.Contains(text, "<html"), strings.HasPrefix(text, "<!doctype html"), strings.Contains(text, "<head"), strings.Contains(text, "<body"):
		return "HTML"
	}
	return "XML"
}
