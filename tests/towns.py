"""Towns and states that several tests drive to."""

from tools.places.types import Place

NEW_YORK = Place("New York", "NY", 40.7143, -74.0060, 8804190, 5128581)
LOS_ANGELES = Place("Los Angeles", "CA", 34.0522, -118.2437, 3898747, 5368361)
DENVER = Place("Denver", "CO", 39.7392, -104.9847, 715522, 5419384)
CHICAGO = Place("Chicago", "IL", 41.8500, -87.6500, 2746388, 4887398)
OMAHA = Place("Omaha", "NE", 41.2586, -95.9378, 486051, 5074472)
SEATTLE = Place("Seattle", "WA", 47.6062, -122.3321, 737015, 5809844)
MIAMI = Place("Miami", "FL", 25.7743, -80.1937, 442241, 4164138)
SAN_FRANCISCO = Place("San Francisco", "CA", 37.7749, -122.4194, 873965, 5391959)
OAKLAND = Place("Oakland", "CA", 37.8044, -122.2712, 440646, 5378538)
CLEVELAND = Place("Cleveland", "OH", 41.4995, -81.6954, 372624, 5150529)
NEWARK = Place("Newark", "NJ", 40.7357, -74.1724, 311549, 5101798)
HONOLULU = Place("Honolulu", "HI", 21.3069, -157.8583, 350964, 5856195)
KAILUA = Place("Kailua", "HI", 21.4022, -157.7394, 38635, 5847486)
NANTUCKET = Place("Nantucket", "MA", 41.2835, -70.0995, 14255, 4944903)
JUNEAU = Place("Juneau", "AK", 58.3019, -134.4197, 32255, 5554072)
ADAK = Place("Adak", "AK", 51.8800, -176.6581, 171, 5879294)
COLORADO = Place("Colorado", "CO", 39.0003, -105.5010, 0, 0, is_state=True)
NEBRASKA = Place("Nebraska", "NE", 41.5003, -99.7509, 0, 0, is_state=True)
IOWA = Place("Iowa", "IA", 42.0, -93.5, 0, 0, is_state=True)
INDIANA = Place("Indiana", "IN", 40.0, -86.0, 0, 0, is_state=True)
