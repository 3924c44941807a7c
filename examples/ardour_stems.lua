-- An Ardour session that separates a choir: a track with the plugin, a bus for each stem, and a master bus with a
-- channel for each, so that one export has them all. Run with Ardour 7.3, without a screen:
--
--     rtsep embed --lv2
--     ardour7-lua examples/ardour_stems.lua ~/sessions/choir 4
--
-- Then open the session, put a recording on the track "mixture", and
-- `ardour7-export -b float -o stems.wav ~/sessions/choir choir` writes the stems in the order of the busses, aligned
-- to the recording.

local folder, voices = arg[1], tonumber(arg[2] or "4")
if not folder or not voices then
	print("give a folder for the session and the number of voices: 2, 3 or 4")
	os.exit(2)
end
local name = folder:match("([^/]+)/*$")

AudioEngine:set_backend("None (Dummy)", "", "")
local session = create_session(folder, name, 48000)
assert(session, folder .. " cannot be made; name a folder that does not exist")

local order, audio = ARDOUR.PresentationInfo.max_order, ARDOUR.DataType("Audio")
local track = session:new_audio_track(1, 1, nil, 1, "mixture", order, ARDOUR.TrackMode.Normal, true):front()
track:set_strict_io(false) -- flexible I/O: the plugin may have more outputs than the track has inputs
local plugin = ARDOUR.LuaAPI.new_plugin(session, "urn:rtsep:choir-" .. voices, ARDOUR.PluginType.LV2, "")
assert(not plugin:isnil(), "the plugin is not installed; run `rtsep embed --lv2`")
assert(track:add_processor_by_index(plugin, 0, nil, true) == 0, "the plugin does not fit on the track")
track:panner_shell():set_bypassed(true)

local master = session:master_out()
for k = 1, voices + 1 do
	local stem = k <= voices and "voice-" .. k or "residual"
	local bus = session:new_audio_route(1, 1, nil, 1, stem, ARDOUR.PresentationInfo.Flag.AudioBus, order):front()
	if master:n_inputs():n_audio() < k then
		master:input():add_port("", nil, audio)
	end
	local from, through, to = track:output():audio(k - 1), bus:output():audio(0), master:input():audio(k - 1)
	from:disconnect_all()
	from:connect(bus:input():audio(0):name())
	through:disconnect_all()
	through:connect(to:name())
end
master:panner_shell():set_bypassed(true)
print("latency of the plugin: " .. plugin:to_insert():signal_latency() .. " samples")
session:save_state("", false, false, false, false, false)
close_session()
quit()
