-- Bosch's BME280: temperature, humidity and pressure over I2C. Formulas: data sheet BST-BME280-DS002, section 8.1.

local Sensor = {}
Sensor.__index = Sensor

local function calibration(bus, address)
   local low, err = bus:readfrom(address, 0x88, 26)
   if not low then return nil, err end
   local high
   high, err = bus:readfrom(address, 0xE1, 7)
   if not high then return nil, err end
   local c = {}
   c.T1, c.T2, c.T3, c.P1, c.P2, c.P3, c.P4, c.P5, c.P6, c.P7, c.P8, c.P9 =
      string.unpack("<I2i2i2I2i2i2i2i2i2i2i2i2", low)
   c.H1 = low:byte(26)
   local e4, e5, e6
   c.H2, c.H3, e4, e5, e6, c.H6 = string.unpack("<i2BbBbb", high)
   c.H4 = e4 << 4 | e5 & 15
   c.H5 = e6 << 4 | e5 >> 4
   return c
end

-- Degrees Celsius, percent of relative humidity, Pascal; or nil and a reason.
function Sensor:read()
   local data, err = self.bus:readfrom(self.address, 0xF7, 8)
   if not data then return nil, err end
   local c = self.calibration
   local pressure, temperature, humidity = string.unpack(">I3I3I2", data)
   pressure, temperature = pressure >> 4, temperature >> 4

   local a = (temperature / 16384 - c.T1 / 1024) * c.T2
   local b = temperature / 131072 - c.T1 / 8192
   local fine = a + b * b * c.T3
   local celsius = fine / 5120

   a = fine / 2 - 64000
   b = a * a * c.P6 / 32768 + a * c.P5 * 2
   b = b / 4 + c.P4 * 65536
   a = (c.P3 * a * a / 524288 + c.P2 * a) / 524288
   a = (1 + a / 32768) * c.P1
   local pascal = 0
   if a > 0 then
      pascal = (1048576 - pressure - b / 4096) * 6250 / a
      pascal = pascal + (c.P9 * pascal * pascal / 2147483648 + pascal * c.P8 / 32768 + c.P7) / 16
   end

   local h = fine - 76800
   h = (humidity - (c.H4 * 64 + c.H5 / 16384 * h)) *
      (c.H2 / 65536 * (1 + c.H6 / 67108864 * h * (1 + c.H3 / 67108864 * h)))
   h = h * (1 - c.H1 * h / 524288)
   return celsius, math.max(0, math.min(100, h)), pascal
end

function Sensor:close()
   if self.bus then
      self.bus:close()
      self.bus = nil
   end
end
Sensor.__close = Sensor.close

local function create(port, address, sda, scl)
   local bus, err = esp32.i2cmaster(port, sda, scl, 100000)
   if not bus then return nil, err end
   local self = setmetatable({ bus = bus, address = address }, Sensor)
   local id
   id, err = bus:readfrom(address, 0xD0, 1)
   if id ~= "\x60" then
      self:close()
      return nil, err or "no BME280 at this address"
   end
   self.calibration, err = calibration(bus, address)
   if not self.calibration then
      self:close()
      return nil, err
   end
   bus:write(address, "\xF2\x01")   -- humidity once
   bus:write(address, "\xF4\x27")   -- temperature and pressure once, and go on measuring
   return self
end

return { create = create }
